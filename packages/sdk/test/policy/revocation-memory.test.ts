import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonValue } from '@countersign/core/json/parse'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import type { CompiledRevocationSource } from '@countersign/core/policy/compile'
import type { RevocationList } from '@countersign/core/policy/revocation-list'
import { acceptRevocations } from '@countersign/core/policy/revocations'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { openRevocationMemory } from '@countersign/sdk/policy/revocation-memory'
import { signRevocations, unsignedRevocations, writeRevocations } from '@countersign/sdk/policy/revocation-publishing'
import { loadPolicy } from '@countersign/sdk/policy/source'
import { testSigner } from '@countersign/testkit/image-fixture'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const [board1, board2, board3, alice] = [testSigner(), testSigner(), testSigner(), testSigner()]
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-memory-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function sourceOf(signers: readonly (typeof alice)[], name = 'acme'): Promise<CompiledRevocationSource> {
  const pem = (signer: typeof alice): string => encodePublicKeyPem(signer.publicKey)
  const document: JsonValue = {
    apiVersion: 'countersign.dev/v1',
    kind: 'ArtifactPolicy',
    match: { images: ['**'] },
    identities: { alice: { keys: [pem(alice)] } },
    require: [{ name: 'signed', signature: { by: 'alice' } }],
    revocations: [{ name, keys: signers.map(pem) }],
  }
  const policy = await loadPolicy(JSON.stringify(document), 'p', { primitives: nodePrimitives })
  return policy.revocations[0] as CompiledRevocationSource
}

const source = await sourceOf([board1, board2])

function listOf(version: number, digests: readonly string[] = []): RevocationList {
  const entries = digests.map(
    (digit) => ({ target: { kind: 'artifact', digest: `sha256:${digit.repeat(64)}` as never }, severity: 'deny', reason: 'x' }) as const,
  )
  return { name: 'acme', version, issuedMs: nowMs - 1000, expiresMs: nowMs + 1000, entries }
}

async function envelopeOf(list: RevocationList): Promise<Uint8Array> {
  return writeRevocations(await signRevocations(unsignedRevocations(list), board1))
}

describe('the memory of revocation lists', () => {
  it('knows nothing at first, and what was remembered later, in another run', async () => {
    const memory = openRevocationMemory(join(folder, 'new'))
    expect(await memory.seen(source)).toBeUndefined()
    await memory.remember(source, listOf(4, ['a']))
    expect(await openRevocationMemory(join(folder, 'new')).seen(source)).toMatchObject({
      version: 4,
      entries: [{ target: { kind: 'artifact' } }],
    })
  })

  it('attack: an older list is refused, and one that lost an entry, whatever its version', async () => {
    const memory = openRevocationMemory(folder)
    await memory.remember(source, listOf(4, ['a', 'b']))
    const seen = await memory.seen(source)
    const accept = async (list: RevocationList) => acceptRevocations(await envelopeOf(list), source, nowMs, nodePrimitives, seen)
    expect(await accept(listOf(3, ['a', 'b']))).toMatchObject({ ok: false, code: 'revocation_list_rolled_back' })
    expect(await accept(listOf(5, ['a']))).toMatchObject({ ok: false, code: 'revocation_list_rolled_back' })
    expect(await accept(listOf(5, ['a', 'b', 'c']))).toMatchObject({ ok: true })
  })

  it('keeps the greatest version, in whichever order they come', async () => {
    const memory = openRevocationMemory(folder)
    for (const version of [7, 12, 9]) await memory.remember(source, listOf(version))
    expect(await memory.seen(source)).toMatchObject({ version: 12 })
  })

  it('attack: of two lists of one version it keeps what either revokes', async () => {
    const memory = openRevocationMemory(folder)
    await memory.remember(source, listOf(4, ['a']))
    await memory.remember(source, listOf(4, ['b']))
    expect((await memory.seen(source))?.entries.length).toBe(2)
  })

  it('outlives the replacement of a key, as long as another of its signers stays', async () => {
    const memory = openRevocationMemory(folder)
    await memory.remember(source, listOf(4))
    expect(await memory.seen(await sourceOf([board2, board3]))).toMatchObject({ version: 4 })
    expect(await memory.seen(await sourceOf([board3]))).toBeUndefined()
  })

  it('attack: a list of the same name by others does not push ours out', async () => {
    const memory = openRevocationMemory(folder)
    await memory.remember(await sourceOf([board3]), listOf(9_000))
    expect(await memory.seen(source)).toBeUndefined()
  })

  it('attack: the same list over and over fills no disk, and older versions go', async () => {
    const memory = openRevocationMemory(folder)
    for (const version of [1, 2, 2, 2, 3]) await memory.remember(source, listOf(version))
    expect(readdirSync(folder).length).toBe(2)
  })

  it.each([
    ['emptied', () => ''],
    ['cut off', (text: string) => text.slice(0, 40)],
    ['changed', (text: string) => text.replace('"version":4', '"version":1')],
    ['another document', () => '{}'],
  ])('attack: damaged (%s) is an error that names the file', async (_how, change) => {
    const memory = openRevocationMemory(folder)
    await memory.remember(source, listOf(4, ['a']))
    for (const name of readdirSync(folder)) writeFileSync(join(folder, name), change(readFileSync(join(folder, name), 'utf8')))
    await expect(memory.seen(source)).rejects.toMatchObject({ code: 'revocation_state_damaged', message: expect.stringContaining(folder) })
  })

  it('what a run that was killed had begun to write is no damage', async () => {
    const memory = openRevocationMemory(folder)
    await memory.remember(source, listOf(4))
    writeFileSync(join(folder, `${readdirSync(folder)[0] ?? ''}.0123.tmp`), '{"apiV')
    expect(await memory.seen(source)).toMatchObject({ version: 4 })
  })
})

/** Another process that remembers versions from `from` on until it is done or killed. */
function remembering(from: number, count: number): { readonly ended: Promise<void>; readonly kill: () => void } {
  const child = spawn(process.execPath, ['--conditions=source', join(import.meta.dirname, 'remember.ts'), folder, `${from}`, `${count}`], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const pems = [board1, board2].map(({ publicKey }) => encodePublicKeyPem(publicKey))
  child.stdin.end(JSON.stringify(pems))
  return { ended: new Promise((done) => child.once('exit', () => done())), kill: () => void child.kill('SIGKILL') }
}

describe('several runs at the same time', () => {
  it('lose none of the versions: the greatest is what is known in the end', async () => {
    const runs = [1, 2, 3, 4].map((from) => remembering(from * 100, 20))
    await Promise.all(runs.map(({ ended }) => ended))
    expect(await openRevocationMemory(folder).seen(source)).toMatchObject({ version: 419 })
  }, 60_000)

  it('that are killed at any moment leave a memory that can be read', async () => {
    const memory = openRevocationMemory(folder)
    let least = 0
    for (const [round, delayMs] of [0, 3, 7, 12, 20].entries()) {
      const from = 1_000_000 * (round + 1)
      const run = remembering(from, 900_000)
      // Killed somewhere in the middle of its writes, however slow the machine is.
      while (((await memory.seen(source))?.version ?? 0) < from) await new Promise((done) => setTimeout(done, 1))
      await new Promise((done) => setTimeout(done, delayMs))
      run.kill()
      await run.ended
      const version = (await memory.seen(source))?.version ?? 0
      expect(version).toBeGreaterThan(least)
      least = version
    }
    expect(least).toBeGreaterThan(0)
  }, 60_000)
})
