import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { initializeStore } from '@countersign/sdk/tuf/initialize'
import { mirrorFolderName, readTarget, storedFreshness } from '@countersign/sdk/tuf/store'
import { startTufMirror, tufKey, tufState } from '@countersign/testkit/tuf-mirror'
import { expect, it } from 'vitest'

const trustedRoot = (version: number): string =>
  `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}${' '.repeat(version)}`
const script = `
  import { initializeStore } from ${JSON.stringify(resolve(import.meta.dirname, '../../src/tuf/initialize.ts'))}
  const [folder, mirror] = process.argv.slice(1)
  process.stdout.write('go')
  for (;;) await initializeStore({ folder, mirror, nowMs: Date.now() }, { environment: {} })
`

/** What a reader finds: a trusted root that belongs to its metadata, or a refusal that says how to repair it; never anything else. */
async function found(mirrorFolder: string): Promise<string> {
  try {
    const freshness = await storedFreshness(mirrorFolder)
    const bytes = await readTarget(mirrorFolder, 'trusted_root.json', freshness?.roles.get('targets'))
    return bytes === undefined ? 'nothing' : 'a trusted root'
  } catch (cause) {
    return cause instanceof CountersignError ? cause.code : String(cause)
  }
}

it('a run that is killed at any moment leaves a store that is whole, or that the next run completes', { timeout: 60_000 }, async () => {
  const key = tufKey()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tuf-crash-'))
  const state = (version: number) => ({ ...tufState(key, { 'trusted_root.json': trustedRoot(version) }), version })
  const mirror = await startTufMirror(state(1))
  const mirrorFolder = join(folder, mirrorFolderName(mirror.url) ?? '')
  try {
    for (let round = 1; round <= 6; round++) {
      const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script, folder, mirror.url])
      await new Promise((started) => child.stdout.once('data', started))
      const versions = setInterval(() => mirror.show(state(mirror.asked.length + 2)), 2)
      await new Promise((later) => setTimeout(later, 60 + Math.random() * 120))
      child.kill('SIGKILL')
      await new Promise((ended) => child.once('close', ended))
      clearInterval(versions)
      expect(['nothing', 'a trusted root', 'content_altered']).toContain(await found(mirrorFolder))
      mirror.show(state(mirror.asked.length + 3))
      await initializeStore({ folder, mirror: mirror.url, nowMs: Date.now() + 2 * 60 * 60 * 1000 }, { environment: {} })
      expect(await found(mirrorFolder)).toBe('a trusted root')
      expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
    }
  } finally {
    await mirror.stop()
    rmSync(folder, { recursive: true })
  }
})

it('a slow run that ends after a newer one leaves the newer one in force', async () => {
  const key = tufKey()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tuf-race-'))
  const state = (version: number) => ({ ...tufState(key, { 'trusted_root.json': trustedRoot(version) }), version })
  const mirror = await startTufMirror(state(1))
  const mirrorFolder = join(folder, mirrorFolderName(mirror.url) ?? '')
  const run = async () => initializeStore({ folder, mirror: mirror.url, nowMs: Date.now() }, { environment: {} })
  try {
    const release = mirror.hold('/1.targets.json')
    const slow = run()
    while (!mirror.asked.includes('/1.targets.json')) await new Promise((later) => setTimeout(later, 5))
    mirror.show(state(2))
    expect((await run()).versions.timestamp).toBe(2)
    release()
    expect((await slow).versions.timestamp).toBe(2)
    expect((await storedFreshness(mirrorFolder))?.roles.get('targets')?.version).toBe(2)
    expect(await found(mirrorFolder)).toBe('a trusted root')
  } finally {
    await mirror.stop()
    rmSync(folder, { recursive: true })
  }
})
