import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { countersign, startServer, testFolder } from './serving.ts'

type FsckReport = {
  readonly ok: boolean
  readonly treeSize: number
  readonly exitCode: number
  readonly logs: readonly { readonly name: string; readonly size: number; readonly issuedCertificates?: number }[]
  readonly damage?: { readonly where: string }
  readonly failure?: { readonly code: string }
}

const report = (text: string): FsckReport => JSON.parse(text) as FsckReport

describe('log fsck', { timeout: 120_000 }, () => {
  it('proves what a keyless signature left in every log, needs the server stopped, and names what was changed: exit 15', async () => {
    const folder = testFolder()
    const { ready, process: server, ended } = await startServer(folder)
    const { addresses } = ready
    const token = (await countersign(folder, 'token', 'admin', '--data', 'platform')).stdout.trim()
    const kit = await countersign(folder, 'kit', '--url', ready.publicUrl, 'kit')
    expect([kit.status, kit.stderr]).toEqual([0, expect.any(String)])
    writeFileSync(join(folder, 'a.txt'), 'hello')
    const signed = await countersign(
      folder,
      'sign-blob',
      `--identity-token=${token}`,
      '--signing-config=kit/signing_config.json',
      '--trusted-root=kit/trusted_root.json',
      '--bundle=a.sigstore.json',
      '--yes',
      'a.txt',
    )
    expect([signed.status, addresses['rekor2'], signed.stderr]).toEqual([0, expect.any(String), expect.any(String)])
    const beside = await countersign(folder, 'log', 'fsck', '--data', 'platform')
    expect([beside.status, beside.stderr]).toEqual([1, expect.stringContaining('another process serves')])
    server.kill('SIGTERM')
    await ended
    const whole = await countersign(folder, 'log', 'fsck', '--data', 'platform', '--report', 'json')
    expect(whole.status).toBe(0)
    expect(report(whole.stdout)).toMatchObject({ ok: true, treeSize: 1 })
    const logs = report(whole.stdout).logs.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    expect(logs.map(({ name, size, issuedCertificates }) => [name, size, issuedCertificates])).toEqual([
      ['ct-1', 1, 1],
      ['rekor1-1', 0, undefined],
      ['rekor2-1', 1, undefined],
    ])
    const tile = join(folder, 'platform/blobs/log/rekor2-1/tile/0/000.p/1')
    const bytes = readFileSync(tile)
    bytes[0] = (bytes[0] as number) ^ 1
    writeFileSync(tile, bytes)
    const changed = await countersign(folder, 'log', 'fsck', '--data', 'platform', '--report', 'json')
    expect([changed.status, changed.stderr]).toEqual([15, expect.stringContaining('log/rekor2-1/tile/0/000.p/1, hash 0')])
    expect(report(changed.stdout)).toMatchObject({ ok: false, exitCode: 15, damage: { where: 'log/rekor2-1/tile/0/000.p/1, hash 0' } })
    // Outside of every leaf hash, so that no checkpoint speaks of it.
    writeFileSync(tile, Buffer.from(bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))))
    const entries = join(folder, 'platform/blobs/log/ct-1/tile/data/000.p/1')
    const leaf = readFileSync(entries)
    const at = leaf.length - 2 - 2 * 32 - 5
    leaf[at] = (leaf[at] as number) ^ 1
    writeFileSync(entries, leaf)
    const altered = await countersign(folder, 'log', 'fsck', '--data', 'platform')
    expect([altered.status, altered.stderr]).toEqual([15, expect.stringContaining('log/ct-1/tile/data/000.p/1, entry 0')])
  })
})
