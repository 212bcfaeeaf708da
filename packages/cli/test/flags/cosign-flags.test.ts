import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { vectorsFolder } from '../../../testkit/src/vectors.ts'
import type { Command, Flag } from '../../src/command/model.ts'
import { verbs } from '../../src/command/table.ts'
import { globalFlags } from '../../src/flags/global.ts'

const vectors = vectorsFolder()
const outputs = vectors === undefined ? undefined : join(vectors, 'cosign-3.1.1/outputs')

async function flagsOf(name: string): Promise<readonly Flag[]> {
  const verb = verbs.find((candidate) => candidate.name === name)
  return verb === undefined ? [] : [...(await verb.load()).flags, ...globalFlags]
}

const helpOf = (name: string): string => join(outputs ?? '', 'help', `${name.replaceAll(' ', '_')}.txt`)

/** Verbs that cosign has too. */
const shared = verbs.map((verb) => verb.name).filter((name) => existsSync(helpOf(name)))

describe.skipIf(outputs === undefined)('flags of cosign 3.1.1', () => {
  it('are those of at least these many verbs', () => {
    expect(shared.length).toBeGreaterThanOrEqual(20)
  })

  it.for(shared)('%s accepts every flag that cosign shows, long and short', async (name) => {
    const help = readFileSync(helpOf(name), 'utf8')
    const flags = await flagsOf(name)
    const shown = [...help.matchAll(/^ {4,6}(?:-([a-z]), )?--([A-Za-z0-9-]+)/gm)].map(([, short, long]) => ({ short, long: long ?? '' }))
    const missing = shown.filter(({ short, long }) => {
      const flag = flags.find((candidate) => candidate.name === long)
      return flag === undefined || (short !== undefined && flag.short !== short)
    })
    expect(missing).toEqual([])
  })

  it('accepts every hidden flag, or says by name why not', async () => {
    const text = readFileSync(join(outputs ?? '', 'hidden-flags.txt'), 'utf8')
    const missing: string[] = []
    let flags: readonly Flag[] = []
    let verb = ''
    for (const line of text.split('\n')) {
      if (line.startsWith('## ')) {
        verb = line.slice(3)
        flags = await flagsOf(verb)
      }
      const name = /hidden --([a-z0-9-]+)/.exec(line)?.[1]
      if (name !== undefined && !flags.some((flag) => flag.name === name)) missing.push(`${verb} --${name}`)
    }
    expect(missing).toEqual([])
  })
})

describe.skipIf(outputs === undefined)('docs/guides/moving-from-cosign.md', () => {
  it('says of every verb of cosign what it is here', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../../../docs/guides/moving-from-cosign.md'), 'utf8')
    const names = readdirSync(join(outputs ?? '', 'help')).map((name) => name.replace(/\.txt$/, '').replaceAll('_', ' '))
    // A group is said by its members; of two that are no verbs cosign says so.
    const verbsOfCosign = names.filter(
      (name) => !names.some((other) => other.startsWith(`${name} `)) && !readFileSync(helpOf(name), 'utf8').startsWith('Error: unknown'),
    )
    expect(verbsOfCosign.length).toBeGreaterThan(25)
    expect(verbsOfCosign.filter((name) => !guide.includes(`\`${name}\``))).toEqual([])
  })
})

describe('the table of flags', () => {
  it.for(verbs.map((verb) => verb.name))('%s names no flag twice, and every alias means a flag that is there', async (name) => {
    const flags = await flagsOf(name)
    const names = flags.map((flag) => flag.name)
    expect(names.filter((one, at) => names.indexOf(one) !== at)).toEqual([])
    const shorts = flags.flatMap((flag) => flag.short ?? [])
    expect(shorts.filter((one, at) => shorts.indexOf(one) !== at)).toEqual([])
    expect(flags.filter((flag) => flag.alias !== undefined && !names.includes(flag.alias))).toEqual([])
  })

  it('keeps from profiles whatever weakens a check or is a secret', async () => {
    const commands: readonly Command[] = await Promise.all(verbs.map((verb) => verb.load()))
    const dangerous = /^(?:insecure-|allow-|private-infrastructure|check-claims|registry-password|registry-token|password)/
    const open = commands.flatMap((command) =>
      command.flags.filter((flag) => dangerous.test(flag.name) && flag.commandLineOnly !== true && flag.idle === undefined),
    )
    expect(open.map((flag) => flag.name)).toEqual([])
  })

  it('has an example of every verb that begins with its name', async () => {
    const commands = await Promise.all(verbs.map((verb) => verb.load()))
    const without = commands.filter((command) => !command.examples.some((example) => example.line.includes(`countersign ${command.name}`)))
    expect(without.map((command) => command.name)).toEqual([])
  })
})
