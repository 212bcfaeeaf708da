import { readFileSync } from 'node:fs'
import path from 'node:path'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { describe, expect, it } from 'vitest'
import { parseBundle } from '../../src/bundle/parse.ts'
import { certificateNames, entryKeys, nameKey } from '../../src/rekor/search-keys.ts'
import { base64, newKey, primitives, sha256 } from './entries.ts'

const bytesOf = (body: object | string): Uint8Array => new Uint8Array(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))
const keysOf = (body: object | string): readonly string[] => entryKeys(primitives, bytesOf(body)).keys
const vectors = vectorsFolder()

describe('what an entry is found by', () => {
  it('is the digest and the key, for version 1 and 2 alike', () => {
    const { pem, publicKey } = newKey()
    const digest = 'ab'.repeat(32)
    const first = {
      spec: {
        data: { hash: { algorithm: 'sha256', value: digest } },
        signature: { content: base64('sig'), publicKey: { content: base64(pem) } },
      },
    }
    const rawBytes = base64(publicKey.export({ type: 'spki', format: 'der' }))
    const data = { algorithm: 'SHA2_256', digest: base64(Buffer.from(digest, 'hex')) }
    const second = { spec: { hashedRekordV002: { data, signature: { content: 'c2ln', verifier: { publicKey: { rawBytes } } } } } }
    for (const body of [first, second]) expect(new Set(keysOf(body))).toEqual(new Set([`sha256:${digest}`, sha256(pem)]))
  })

  it.skipIf(vectors === undefined).each(['happy-path-v0.3', 'happy-path-intoto-in-dsse-v3', 'rekor2-happy-path'])(
    'is also the certificate, which has an identity in it, as in %s',
    (name) => {
      const file = path.join(vectors as string, 'sigstore-conformance/bundle-verify', name, 'bundle.sigstore.json')
      const body = parseBundle(readFileSync(file)).logEntries[0]?.canonicalizedBody as Uint8Array
      const { keys, certificates } = entryKeys(primitives, body)
      const names = certificates.flatMap(certificateNames)
      expect(names.filter((name) => name.startsWith('https://github.com/sigstore'))).toHaveLength(1)
      expect(keys.filter((key) => names.includes(key))).toEqual([])
      expect(keys.filter((key) => /^[0-9a-f]{64}$/.test(key))).toHaveLength(1)
    },
  )

  it('is never the name of somebody by what an attacker calls a hash', () => {
    const named = nameKey('ada@example.org')
    for (const [algorithm, value] of [
      ['name=ada@example.org', ''],
      ['name', 'ada@example.org'],
      ['', named],
    ])
      expect(keysOf({ data: { hash: { algorithm, value } } }).filter((key) => key.startsWith('name='))).toEqual([])
  })

  it('is nothing where a body does not parse, and at most 64 keys: search proves nothing, and stops nothing', () => {
    expect(keysOf('not json')).toEqual([])
    expect(keysOf({ spec: { publicKey: base64('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') } }).length).toBeLessThan(2)
    expect(keysOf({ rawBytes: '!!!' })).toEqual([])
    expect(keysOf({ many: Array.from({ length: 500 }, (_, i) => ({ algorithm: 'sha256', value: String(i) })) }).length).toBeLessThanOrEqual(
      64,
    )
    let deep: object = { algorithm: 'sha256', value: 'deep' }
    for (let i = 0; i < 30; i++) deep = { deep }
    expect(keysOf(deep)).toEqual([])
  })
})
