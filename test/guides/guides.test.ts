import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { freePort } from '@countersign/server/base/http/free-port'
import { findPeer } from '@countersign/testkit/peers'
import { startTestRegistry, type TestRegistry } from '@countersign/testkit/registry/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasServices, makeStage, type Stage } from '../scripts/stage.ts'
import { type GuideStep, parseGuide } from './guide.ts'

const folder = resolve(import.meta.dirname, '../../docs/guides')
const guides = readdirSync(folder).filter((name) => name.endsWith('.md'))
/** Guides that start the services, which the single-file executable does not hold. */
const ofServices = ['keyless-signing.md', 'operating.md', 'running-the-services.md']
const played = guides.filter((name) => hasServices || !ofServices.includes(name))
let stage: Stage

beforeAll(() => {
  stage = makeStage()
  // Programs in a guide find the packages of this checkout, as TypeScript.
  const node = `#!/bin/sh\nexec '${process.execPath}' --conditions=source "$@"\n`
  writeFileSync(join(stage.root, 'bin/node'), node, { mode: 0o755 })
})

afterAll(() => stage.remove())

describe.concurrent('the commands of a guide do what it says', () => {
  it.for(played)('docs/guides/%s', { timeout: 600_000 }, async (name) => {
    const place = join(stage.root, name.replace(/\.md$/, ''))
    mkdirSync(join(place, 'home'), { recursive: true })
    symlinkSync(resolve(folder, '../../node_modules'), join(place, 'node_modules'))
    // Two kinds of registries exist: one with everything of OCI 1.1, and one that knows no referrers and cannot compare and swap.
    const registries = [await startTestRegistry(), await startTestRegistry({ referrers: false, conditionalWrites: false })] as const
    const world: World = { registries, port: await freePort('127.0.0.1') }
    const ci = join(folder, 'ci')
    for (const file of readdirSync(ci)) keep(join(place, 'ci', file), onLoopback(readFileSync(join(ci, file), 'utf8'), world))
    try {
      for (const step of parseGuide(readFileSync(join(folder, name), 'utf8'))) {
        const { shown, wanted } = await play(place, step, world)
        expect(`${name}:${step.line} ${shown}`).toBe(`${name}:${step.line} ${wanted}`)
      }
    } finally {
      for (const registry of registries) await registry.stop()
    }
  })
})

describe('every guide', () => {
  const steps = guides.map((name) => ({ name, steps: parseGuide(readFileSync(join(folder, name), 'utf8')) }))

  it('says in words why a block is not run', () => {
    const silent = steps.flatMap(({ name, steps: all }) =>
      all.flatMap((step) => (step.kind === 'skip' && step.reason.split(' ').length < 4 ? [`${name}:${step.line} ${step.reason}`] : [])),
    )
    expect(silent).toEqual([])
  })

  it('runs most of what it shows', () => {
    const idle = steps.flatMap(({ name, steps: all }) => {
      const skipped = all.filter((step) => step.kind === 'skip').length
      const run = all.filter((step) => step.kind === 'run').length
      return skipped > run ? [`${name}: ${skipped} blocks of ${skipped + run} are not run`] : []
    })
    expect(idle).toEqual([])
  })
})

describe('the reader of guides', () => {
  it('finds commands, files, preparations and exceptions, with their lines', () => {
    const fence = '```'
    const text = [
      '<!-- prepare: an image',
      'make-image image 1.0 x',
      '-->',
      `${fence}sh`,
      'countersign version',
      fence,
      '<!-- exits 12 -->',
      '<!-- needs jq, cosign -->',
      `1. item`,
      `   ${fence}sh`,
      '   false',
      `   ${fence}`,
      `${fence}yaml a/b.yaml`,
      'x: 1',
      fence,
      `${fence}json`,
      '{}',
      fence,
      '<!-- not run: it needs a cluster -->',
      `${fence}sh`,
      'kubectl apply',
      fence,
    ].join('\n')
    expect(parseGuide(text)).toEqual([
      { kind: 'run', line: 1, text: 'make-image image 1.0 x', exit: 0, needs: [] },
      { kind: 'run', line: 5, text: 'countersign version', exit: 0, needs: [] },
      { kind: 'run', line: 11, text: 'false', exit: 12, needs: ['jq', 'cosign'] },
      { kind: 'file', line: 14, name: 'a/b.yaml', text: 'x: 1\n' },
      { kind: 'skip', line: 21, reason: 'it needs a cluster' },
    ] satisfies GuideStep[])
  })
})

/** What is around a guide. */
type World = { readonly registries: readonly [TestRegistry, TestRegistry]; readonly port: number }

type Shown = { readonly shown: string; readonly wanted: string }

/** Does one step; what a block exports and where it ends is where the next one starts. */
async function play(place: string, step: GuideStep, world: World): Promise<Shown> {
  const done = { shown: 'done', wanted: 'done' }
  if (step.kind === 'skip') return done
  const text = onLoopback(step.text, world)
  if (step.kind === 'file') {
    const path = resolve(place, step.name)
    if (relative(place, path).startsWith('..')) throw new CountersignError('usage', `${step.name} is outside the folder of the guide`)
    keep(path, text)
    return done
  }
  if (!step.needs.every((tool) => available(tool))) return done
  const state = `'${place}/.state'`
  const before = `[ ! -e ${state} ] || . ${state}\nset -ae\ntrap '{ export -p; echo "cd \\"$PWD\\""; } > ${place}/.state' EXIT\n`
  const { stdout, stderr, exit } = await stage.play(place, `${before}${text}`)
  const wanted = `exits ${step.exit}\n${text}`
  return { shown: exit === step.exit ? wanted : `exits ${exit}\n${text}\n${stderr}${stdout}`, wanted }
}

function keep(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** The registries that guides speak of are on loopback: `registry.example` has OCI 1.1 in full, `mirror.example` no referrers API; services have a port of their own. */
function onLoopback(text: string, { registries: [full, old], port }: World): string {
  return text
    .replaceAll(/\bregistry\.example(?:\.com)?\b/g, full.host)
    .replaceAll(/\bmirror\.example(?:\.com)?\b/g, old.host)
    .replaceAll(/\b(localhost|127\.0\.0\.1):84[67]0\b/g, `$1:${port}`)
}

/** Whether a program is at hand; a peer that is elsewhere becomes a command. */
function available(tool: string): boolean {
  if (['/usr/bin', '/bin'].some((bin) => existsSync(join(bin, tool)))) return true
  const peer = findPeer(tool)
  if (peer !== undefined) stage.link(tool, peer)
  return peer !== undefined
}
