import { generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesToHex } from '@countersign/core/bytes'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { parseDataTile } from '@countersign/core/x509/ct-leaf'
import { leafIndexOf } from '@countersign/core/x509/sct-encode'
import { sctSignedData } from '@countersign/core/x509/sct'
import { createApp, defaultHttpLimits, mountServices } from '../../src/base/http/app.ts'
import { hashBytes, serverPrimitives } from '../../src/base/crypto/primitives.ts'
import type { RoleKey } from '../../src/base/keys/role-key.ts'
import { ctLog, type CtLog, type Precertificate } from '../../src/log/ct/ct-log.ts'
import { ctService } from '../../src/log/ct/service.ts'
import { ctOrigin, ctTreeOptions } from '../../src/log/ct/tree.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { newLogPlace, type LogPlace } from './logs.ts'

function newKey(): RoleKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
  return {
    name: 'ct-1',
    publicKey: key,
    algorithm: defaultAlgorithm(key),
    sign: (message) => new Uint8Array(sign('sha256', message, privateKey)),
  }
}

const chain = [new Uint8Array(100).fill(1), new Uint8Array(100).fill(2)]

function precertificate(number: number): Precertificate {
  return {
    certificate: new Uint8Array(50).fill(number),
    tbs: new Uint8Array(40).fill(number),
    chain,
    issuerKeyHash: new Uint8Array(32).fill(9),
  }
}

describe('the certificate transparency log', () => {
  const key = newKey()
  let now = 1_700_000_000_000
  let place: LogPlace
  let tree: OpenTreeLog
  let log: CtLog
  let url: string
  let stop: () => Promise<void>

  beforeAll(async () => {
    place = await newLogPlace()
    const options = place.options({ name: 'ct-1', origin: 'ca.example/ct', ...ctTreeOptions(key) })
    await createTreeLog(options)
    tree = await openTreeLog(options)
    log = ctLog({ tree, key, blobs: place.blobs, now: () => now })
    const app = createApp({
      limits: defaultHttpLimits,
      log: { level: 'error', format: 'json', write: () => undefined },
      trustedProxies: [],
    })
    await mountServices(app, [ctService({ tree, log, roots: async () => chain.slice(1) })], () => false)
    url = `${await app.fastify.listen({ host: '127.0.0.1', port: 0 })}/ct`
    stop = async () => app.fastify.close()
  })
  afterAll(async () => {
    await stop()
    await tree.close()
    await place.remove()
  })

  it('gives timestamps with the index of the entry, signed over what was logged', async () => {
    const scts = await Promise.all(Array.from({ length: 300 }, async (_, i) => log.publish(precertificate(i % 256 === 255 ? 300 : i))))
    expect(new Set(scts.map(({ extensions }) => leafIndexOf(extensions))).size).toBeGreaterThan(250)
    const [sct] = scts
    const { issuerKeyHash, tbs } = precertificate(0)
    const signed = sctSignedData(sct as never, issuerKeyHash, tbs)
    expect(await serverPrimitives.verify(key.algorithm, key.publicKey, signed, sct?.signature ?? new Uint8Array())).toBe(true)
    expect(sct?.logId).toEqual(hashBytes('sha256', key.publicKey.spki))
  })

  it('answers the same precertificate with the same entry and the time of the first', async () => {
    const first = await log.publish(precertificate(200))
    now += 60_000
    const again = await log.publish(precertificate(200))
    expect([again.timestampMs, again.extensions]).toEqual([first.timestampMs, first.extensions])
  })

  it('serves data tiles whose leaves name their own index, and issuers by their fingerprint', async () => {
    const { size } = await tree.checkpoint()
    const response = await fetch(`${url}/tile/data/000${size < 256 ? `.p/${size}` : ''}`)
    const leaves = parseDataTile(new Uint8Array(await response.arrayBuffer()))
    expect(leaves.map(({ entry }) => entry.index)).toEqual(leaves.map((_, i) => i))
    expect(response.headers.get('cache-control')).toContain('max-age')
    for (const fingerprint of leaves[0]?.entry.chain ?? []) {
      const issuer = await fetch(`${url}/issuer/${bytesToHex(fingerprint)}`)
      expect(hashBytes('sha256', new Uint8Array(await issuer.arrayBuffer()))).toEqual(fingerprint)
    }
  })

  it('serves its checkpoint briefly cached, hash tiles for ever, and its roots', async () => {
    const checkpoint = await fetch(`${url}/checkpoint`)
    expect(checkpoint.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(checkpoint.headers.get('cache-control')).toContain('max-age=2')
    const { size } = await tree.checkpoint()
    const tile = await fetch(`${url}/tile/0/000${size < 256 ? `.p/${size}` : ''}`)
    expect((await tile.arrayBuffer()).byteLength).toBe(32 * Math.min(256, size))
    expect(await (await fetch(`${url}/ct/v1/get-roots`)).json()).toEqual({ certificates: [Buffer.alloc(100, 2).toString('base64')] })
  })

  it.each([
    'tile/entries/000',
    'tile/6/000',
    'tile/0/0',
    'tile/0/000.p/256',
    'tile/0/000.p/0',
    'tile/0/x000/000',
    'tile/data/999',
    'tile/00/000',
    'tile/0/..%2f..%2fcheckpoint',
    'tile/data/../checkpoint%00',
    'issuer/00',
    `issuer/${'A'.repeat(64)}`,
    `issuer/${'0'.repeat(64)}`,
    'issuer/..%2fx',
  ])('has nothing under %s', async (path) => {
    expect((await fetch(`${url}/${path}`)).status).toBe(404)
  })

  it('has the submission URL without scheme as origin', () => {
    expect(ctOrigin('https://host.example:8443/ct/')).toBe('host.example:8443/ct')
  })
})
