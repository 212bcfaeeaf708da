import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { countersign, startServer, testFolder, type ReadyLine } from './serving.ts'

const services = ['--signing-config=kit/signing_config.json', '--trusted-root=kit/trusted_root.json']

/** Signs a file as the administrator, without a key, with what the installation tells clients now. */
async function sign(folder: string, { publicUrl }: ReadyLine, name: string, data = 'platform'): Promise<void> {
  writeFileSync(join(folder, name), name)
  rmSync(join(folder, 'kit'), { recursive: true, force: true })
  expect(await countersign(folder, 'kit', '--url', publicUrl, 'kit')).toMatchObject({ status: 0 })
  const token = (await countersign(folder, 'token', 'admin', '--data', data)).stdout.trim()
  const signed = await countersign(
    folder,
    'sign-blob',
    ...services,
    `--identity-token=${token}`,
    `--bundle=${name}.sigstore.json`,
    '--yes',
    name,
  )
  expect([name, signed.status, signed.stderr]).toEqual([name, 0, expect.any(String)])
}

async function verify(folder: string, { publicUrl }: ReadyLine, name: string): Promise<void> {
  const verified = await countersign(
    folder,
    'verify-blob',
    '--trusted-root=kit/trusted_root.json',
    `--bundle=${name}.sigstore.json`,
    '--certificate-identity-regexp=admin@.*',
    `--certificate-oidc-issuer=${publicUrl}/oidc`,
    name,
  )
  expect([name, verified.status, verified.stderr]).toEqual([name, 0, expect.any(String)])
}

type Proof = { readonly ok: boolean; readonly treeSize: number; readonly logs: readonly { readonly name: string; readonly size: number }[] }

async function sizes(folder: string, data: string): Promise<Readonly<Record<string, number>>> {
  const { status, stdout } = await countersign(folder, 'log', 'fsck', '--data', data, '--report', 'json')
  const { ok, logs } = JSON.parse(stdout) as Proof
  expect([status, ok]).toEqual([0, true])
  return Object.fromEntries(logs.map(({ name, size }) => [name, size]))
}

const waitUntil = async (holds: () => Promise<boolean>): Promise<void> => {
  for (let attempt = 0; attempt < 300 && !(await holds()); attempt++) await new Promise((resolve) => setTimeout(resolve, 200))
}

type Shards = { readonly shards: readonly { readonly name: string; readonly treeSize: number; readonly frozen: boolean }[] }

describe('an installation whose keys are rotated', { timeout: 300_000 }, () => {
  it('signs with each new key without a restart, and what the old ones signed stays valid', async () => {
    const folder = testFolder()
    const { ready, process: server, ended } = await startServer(folder)
    await sign(folder, ready, 'before')
    for (const role of ['ca', 'tsa', 'ct', 'rekor2', 'rekor1', 'oidc', 'timestamp', 'snapshot', 'targets', 'root']) {
      const rotated = await countersign(folder, 'key', 'rotate', role, '--data', 'platform')
      expect([role, rotated.status, rotated.stdout.trim()]).toEqual([role, 0, expect.stringMatching(/-2$/)])
    }
    const shards = async (): Promise<Shards> => (await fetch(`${ready.publicUrl}/rekor2/shards`)).json() as Promise<Shards>
    await waitUntil(async () => (await shards()).shards.length === 2)
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    await sign(folder, ready, 'after')
    await verify(folder, ready, 'after')
    await verify(folder, ready, 'before')
    await waitUntil(async () => (await shards()).shards[0]?.frozen === true)
    expect((await shards()).shards).toEqual([
      expect.objectContaining({ name: 'rekor2-1', treeSize: 1, frozen: true }),
      expect.objectContaining({ name: 'rekor2-2', treeSize: 1, frozen: false }),
    ])
    // The old shard is read under its own name.
    expect((await fetch(`${ready.publicUrl}/rekor2/shards/rekor2-1/tile/entries/000.p/1`)).status).toBe(200)
    server.kill('SIGTERM')
    await ended
    expect(await sizes(folder, 'platform')).toEqual({ 'ct-1': 1, 'ct-2': 1, 'rekor1-1': 0, 'rekor1-2': 0, 'rekor2-1': 1, 'rekor2-2': 1 })
  })

  it('refuses roles that there are not, plans that make no sense, and logs that there are not', async () => {
    const folder = testFolder()
    await startServer(folder)
    expect(await countersign(folder, 'key', 'rotate', 'everything', '--data', 'platform')).toMatchObject({ status: 2 })
    const rotate = (...args: readonly string[]) => countersign(folder, 'key', 'rotate', ...args, '--data', 'platform')
    expect(await rotate('audit')).toMatchObject({ status: 2, stderr: expect.stringContaining('one key for its life') as string })
    for (const after of ['yesterday', '2020-01-01', '0d']) expect(await rotate('tsa', '--after', after)).toMatchObject({ status: 2 })
    expect(await rotate('root', '--after', '3d')).toMatchObject({ status: 2, stderr: expect.stringContaining('without --after') as string })
    expect(await countersign(folder, 'log', 'rotate', 'tsa', '--data', 'platform')).toMatchObject({ status: 2 })
    expect(await countersign(folder, 'log', 'freeze', 'rekor2-9', '--data', 'platform')).toMatchObject({ status: 1 })
  })

  it('takes no more into a log that was frozen, while it is read as before', async () => {
    const folder = testFolder()
    const { ready } = await startServer(folder)
    await sign(folder, ready, 'before')
    expect(await countersign(folder, 'log', 'freeze', 'rekor2-1', '--data', 'platform')).toMatchObject({ status: 0 })
    const token = (await countersign(folder, 'token', 'admin', '--data', 'platform')).stdout.trim()
    const refused = await countersign(folder, 'sign-blob', '--identity-token', token, ...services, '--bundle', 'b.json', '--yes', 'before')
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringMatching(/frozen|405/)])
    expect((await fetch(`${ready.publicUrl}/rekor2/api/v2/checkpoint`)).status).toBe(200)
    await verify(folder, ready, 'before')
  })
})

describe('a backup', { timeout: 300_000 }, () => {
  it('of a running installation becomes one that goes on in new shards, proven, with everything that was signed before still valid', async () => {
    const folder = testFolder()
    const { ready, process: server, ended } = await startServer(folder)
    await sign(folder, ready, 'before')
    // What was planned is given up: the old installation may have gone on with it.
    expect(await countersign(folder, 'key', 'rotate', 'rekor1', '--after', '3d', '--data', 'platform')).toMatchObject({ status: 0 })
    expect(await countersign(folder, 'backup', 'saved.backup', '--data', 'platform')).toMatchObject({ status: 0 })
    expect(await countersign(folder, 'backup', 'saved.backup', '--data', 'platform')).toMatchObject({ status: 2 })
    expect(readFileSync(join(folder, 'saved.backup')).includes('rekor2-1')).toBe(false)
    await sign(folder, ready, 'later')
    server.kill('SIGTERM')
    await ended
    writeFileSync(join(folder, 'passphrase'), readFileSync(join(folder, 'platform/passphrase')))
    const restoring = ['restore', 'saved.backup', '--data', 'restored', '--passphrase', 'file:passphrase'] as const
    const restored = await countersign(folder, ...restoring)
    expect([restored.status, restored.stderr]).toEqual([0, expect.stringContaining('rekor2-1 is frozen with 1 entries, rekor2-2 follows')])
    expect(restored.stderr).toContain('rekor1-1 is frozen with 0 entries, rekor1-3 follows')
    expect(await sizes(folder, 'restored')).toEqual({
      'ct-1': 1,
      'ct-2': 0,
      'rekor1-1': 0,
      'rekor1-2': 0,
      'rekor1-3': 0,
      'rekor2-1': 1,
      'rekor2-2': 0,
    })
    const again = await startServer(folder, '--data', 'restored', '--listen', new URL(ready.publicUrl).host)
    await sign(folder, again.ready, 'afterwards', 'restored')
    // What was signed after the backup is in no log here, and verifies by itself: its log was trusted until the restoration.
    for (const name of ['before', 'later', 'afterwards']) await verify(folder, again.ready, name)
    again.process.kill('SIGTERM')
    await again.ended
    expect(await sizes(folder, 'restored')).toEqual({
      'ct-1': 1,
      'ct-2': 1,
      'rekor1-1': 0,
      'rekor1-2': 0,
      'rekor1-3': 0,
      'rekor2-1': 1,
      'rekor2-2': 1,
    })
    // Never over something.
    expect(await countersign(folder, ...restoring)).toMatchObject({ status: 2, stderr: expect.stringContaining('is not empty') as string })
  })

  it('that was changed, cut off, or is opened with another passphrase makes no installation', async () => {
    const folder = testFolder()
    await startServer(folder)
    expect(await countersign(folder, 'backup', 'saved.backup', '--data', 'platform')).toMatchObject({ status: 0 })
    const saved = readFileSync(join(folder, 'saved.backup'))
    const changed = Buffer.from(saved)
    changed[saved.length - 100] = (changed[saved.length - 100] as number) ^ 1
    writeFileSync(join(folder, 'changed.backup'), changed)
    writeFileSync(join(folder, 'short.backup'), saved.subarray(0, saved.length - 65_552))
    writeFileSync(join(folder, 'other'), 'another passphrase')
    const right = `file:${join(folder, 'platform/passphrase')}`
    for (const [file, source, code] of [
      ['changed.backup', right, 15],
      ['short.backup', right, 15],
      ['saved.backup', 'file:other', 1],
      ['missing.backup', right, 11],
    ] as const) {
      const refused = await countersign(folder, 'restore', file, '--data', 'restored', '--passphrase', source)
      expect([file, refused.status]).toEqual([file, code])
    }
    expect(await countersign(folder, 'restore', 'saved.backup', '--data', 'restored')).toMatchObject({ status: 2 })
    expect(await countersign(folder, 'restore', 'saved.backup', '--data', 'restored', '--passphrase', right)).toMatchObject({ status: 0 })
  })
})
