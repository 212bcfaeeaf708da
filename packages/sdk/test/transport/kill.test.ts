import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { copyImage } from '@countersign/sdk/transport/copy'
import { openDestination } from '@countersign/sdk/transport/destination'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectSample, fillSample, type Sample } from './sample.ts'

let folder: string
let sample: Sample
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-kill-'))
  const source = memoryRepository({})
  sample = await fillSample(source)
  const layout = await openDestination(createRegistryRun({ environment: {} }), { kind: 'layout', directory: join(folder, 'source') }, false)
  await copyImage({ images: source, signatures: source }, async () => layout.repository, { image: { tag: 'v1' }, tag: 'v1' })
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Copies in a process of its own and kills it so long after it began; whether it was done before. */
function copyAndKill(to: string, afterMs: number): Promise<boolean> {
  const script = join(import.meta.dirname, 'copying-process.ts')
  const child = spawn(process.execPath, ['--conditions=source', script, join(folder, 'source'), to], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  return new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (said === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
      said += text
    })
    child.on('error', reject).on('close', () => resolve(said.includes('done')))
  })
}

describe('a copy that is killed with SIGKILL', () => {
  it('into a layout leaves no tag on half an image, and is completed by the next', { timeout: 120_000 }, async () => {
    for (const afterMs of [0, 15, 40, 100]) {
      const to = join(folder, `killed-${afterMs}`)
      await copyAndKill(to, afterMs)
      if (existsSync(join(to, 'index.json'))) {
        const half = await createRegistryRun({ environment: {} }).open({ kind: 'layout', directory: to })
        if ((await half.resolve({ tag: 'v1' })) !== undefined) await expectSample(half, 'v1', sample)
      }
      expect(await copyAndKill(to, 60_000)).toBe(true)
      await expectSample(await createRegistryRun({ environment: {} }).open({ kind: 'layout', directory: to }), 'v1', sample)
    }
  })

  it('into an archive leaves no archive, or a whole one', { timeout: 120_000 }, async () => {
    for (const afterMs of [0, 30, 60_000]) {
      const file = join(folder, `killed-${afterMs}.tar`)
      await copyAndKill(file, afterMs)
      if (existsSync(file)) await expectSample(await createRegistryRun({ environment: {} }).open({ kind: 'archive', file }), 'v1', sample)
    }
    expect(existsSync(join(folder, 'killed-60000.tar'))).toBe(true)
  })
})
