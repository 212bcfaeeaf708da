import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startTestRegistry } from '@countersign/testkit/registry/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasServices, makeStage, type Stage } from './stage.ts'
import { matches, parseTranscript, type Step } from './transcript.ts'

/** `npm test -- -u` and the like are not for transcripts: what comes back is read before it is believed. */
const folder = import.meta.dirname
const scripts = readdirSync(folder).filter((name) => name.endsWith('.txt') && (hasServices || name !== 'serve.txt'))
let stage: Stage

beforeAll(() => {
  stage = makeStage()
})

afterAll(() => stage.remove())

describe.concurrent('the command line, as typed', () => {
  it.for(scripts)('%s', { timeout: 600_000 }, async (name) => {
    const place = join(stage.root, name.replace(/\.txt$/, ''))
    mkdirSync(join(place, 'home'), { recursive: true })
    const text = readFileSync(join(folder, name), 'utf8')
    // A registry of its own, on loopback, for a transcript that speaks of one.
    const registry = text.includes('$REGISTRY') ? await startTestRegistry() : undefined
    const env: Readonly<Record<string, string>> = registry === undefined ? {} : { REGISTRY: registry.host }
    try {
      for (const step of parseTranscript(text)) {
        const { shown, wanted } = await compare(place, step, env)
        expect(shown, `${name}:${step.line}`).toBe(wanted)
      }
    } finally {
      await registry?.stop()
    }
  })
})

/** Both sides as a transcript would write them; the same when the output is as expected, wildcards included. */
async function compare(
  place: string,
  step: Step,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly shown: string; readonly wanted: string }> {
  const { stdout, stderr, exit } = await stage.play(place, step.command, env)
  const wanted = [`$ ${step.command}`, ...step.stdout, ...step.stderr.map((line) => `| ${line}`), `? ${step.exit}`].join('\n')
  if (exit === step.exit && matches(step.stdout, stdout) && matches(step.stderr, stderr)) return { shown: wanted, wanted }
  const errors = stderr.split('\n').map((line) => `| ${line}`)
  return { shown: [`$ ${step.command}`, ...stdout.split('\n'), ...errors, `? ${exit}`].join('\n'), wanted }
}
