import { createHash, createPublicKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { encodeTufMetadata, rootContent, targetsContent, tufKey } from '@countersign/core/tuf/write'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { countersign, testFolder } from './serving.ts'

const expiresMs = Date.UTC(2030, 0, 2)

describe('attack: who carries a proposal to the holder of a key', { timeout: 60_000 }, () => {
  it('does not have another one signed unseen, nor what no holder signs', async () => {
    const folder = testFolder()
    for (const name of ['holder', 'stranger'])
      expect(await countersign(folder, 'generate-key-pair', '--output-key-prefix', name)).toMatchObject({ status: 0 })
    const pemOf = (name: string): string => readFileSync(join(folder, `${name}.pub`), 'utf8')
    const fingerprint = (name: string): string =>
      createHash('sha256')
        .update(createPublicKey(pemOf(name)).export({ type: 'spki', format: 'der' }))
        .digest('hex')
    const keys = await Promise.all(['holder', 'stranger'].map(async (name) => tufKey(parsePublicKeyPem(pemOf(name)), nodePrimitives)))
    const each = { keys, threshold: 1 }
    const roles = { root: each, targets: each, snapshot: each, timestamp: each }
    writeFileSync(join(folder, 'root.json'), encodeTufMetadata(rootContent({ version: 7, expiresMs, roles }), []))
    const sign = (file: string): ReturnType<typeof countersign> => countersign(folder, 'trust', 'sign', '--key', 'holder.key', file)

    const root = await sign('root.json')
    expect(root).toMatchObject({ status: 0 })
    expect(root.stderr).toContain('root version 7, until 2030-01-02: clients will trust these keys')
    expect(root.stderr).toContain(`  root: 1 of 2\n    ${fingerprint('holder')}\n    ${fingerprint('stranger')}\n`)

    const files = new Map([['trusted_root.json', { length: 1, sha256: 'ab'.repeat(32) }]])
    writeFileSync(join(folder, 'targets.json'), encodeTufMetadata(targetsContent(3, expiresMs, files), []))
    const targets = await sign('targets.json')
    expect([targets.status, targets.stderr]).toEqual([0, expect.stringContaining(`  trusted_root.json  sha256:${'ab'.repeat(32)}\n`)])

    const daily = {
      _type: 'timestamp',
      spec_version: '1.0.31',
      version: 9,
      expires: '2030-01-02T00:00:00Z',
      meta: { 'snapshot.json': { version: 9 } },
    }
    const text = JSON.stringify({ signatures: [], signed: daily })
    writeFileSync(join(folder, 'timestamp.json'), text)
    expect(await sign('timestamp.json')).toMatchObject({ status: 2, stderr: expect.stringContaining('no holder of a key signs') as string })
    expect(readFileSync(join(folder, 'timestamp.json'), 'utf8')).toBe(text)
  })
})
