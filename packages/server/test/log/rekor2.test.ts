import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { fastify, type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { preAuthEncoding } from '@countersign/core/dsse/envelope'
import { readLogEntry } from '@countersign/core/bundle/log-entry'
import { documentPlace } from '@countersign/core/json/shape'
import { splitEntries } from '@countersign/core/tiles/entry-bundle'
import { noteKeyId } from '@countersign/core/note/key-id'
import { hashBytes, serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { admitAnyone, admitOwn, type Admission } from '../../src/log/admission.ts'
import { rekor2Service } from '../../src/log/rekor2/service.ts'
import { digestVerifier, type DigestVerifier } from '../../src/log/verify/verifier.ts'
import { newLogPlace, origin, type LogPlace } from './logs.ts'

type Pair = { readonly spki: string; readonly privateKey: KeyObject }
function newPair(namedCurve = 'P-256'): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
  return { spki: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), privateKey }
}

function hashedrekord(pair: Pair, message = randomBytes(16)): object {
  const digest = Buffer.from(hashBytes('sha256', message)).toString('base64')
  const content = sign('sha256', message, pair.privateKey).toString('base64')
  return {
    hashedRekordRequestV002: {
      digest,
      signature: { content, verifier: { publicKey: { rawBytes: pair.spki }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' } },
    },
  }
}

let place: LogPlace
let log: OpenTreeLog
let app: FastifyInstance
let verifier: DigestVerifier

async function serve(admit: Admission = admitAnyone, maxOutstanding?: number, maxInFlight?: number): Promise<void> {
  log = await openTreeLog(place.options(maxOutstanding === undefined ? {} : { maxOutstanding }))
  verifier = digestVerifier({ threads: 1 })
  const logId = await noteKeyId(serverPrimitives, origin, place.key.publicKey)
  const service = rekor2Service({ shard: () => ({ log, logId }), verifier, admit, ...(maxInFlight === undefined ? {} : { maxInFlight }) })
  app = fastify()
  await app.register(async (child) => service.routes(child), { prefix: service.prefix })
}

async function post(
  body: unknown,
): Promise<{ status: number; headers: Record<string, unknown>; json: Record<string, unknown>; text: string }> {
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const {
    statusCode,
    headers,
    body: text,
  } = await app.inject({ method: 'POST', url: '/rekor2/api/v2/log/entries', payload, headers: { 'content-type': 'application/json' } })
  return { status: statusCode, headers, text, json: JSON.parse(text) as Record<string, unknown> }
}

beforeEach(async () => {
  place = await newLogPlace()
  await createTreeLog(place.options())
})
afterEach(async () => {
  await app.close()
  await log.close()
  await verifier.close()
  await place.remove()
})

describe('Rekor v2', () => {
  it('answers 201 with the entry, its proof and checkpoint, in the fields of the reference', async () => {
    await serve()
    const { status, json, headers } = await post(hashedrekord(newPair()))
    expect(status).toBe(201)
    expect(headers['content-type']).toContain('application/json')
    expect(Object.keys(json)).toEqual([
      'logIndex',
      'logId',
      'kindVersion',
      'integratedTime',
      'inclusionPromise',
      'inclusionProof',
      'canonicalizedBody',
    ])
    expect(json).toMatchObject({
      logIndex: '0',
      kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
      integratedTime: '0',
      inclusionPromise: null,
      inclusionProof: { logIndex: '0', treeSize: '1', hashes: [] },
    })
    expect(readLogEntry(documentPlace(json as never, 'bundle_malformed'))).toMatchObject({ logIndex: 0, kind: 'hashedrekord' })
  })

  it('logs an envelope as the hash over its pre-authentication encoding', async () => {
    await serve()
    const pair = newPair()
    const payload = Buffer.from('{"_type":"x"}')
    const sig = sign('sha256', preAuthEncoding('application/vnd.in-toto+json', payload), pair.privateKey).toString('base64')
    const envelope = { payload: payload.toString('base64'), payloadType: 'application/vnd.in-toto+json', signatures: [{ sig, keyid: '' }] }
    const { status, json } = await post({
      dsseRequestV002: { envelope, verifiers: [{ publicKey: { rawBytes: pair.spki }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }] },
    })
    expect(status).toBe(201)
    expect(json).toMatchObject({ kindVersion: { kind: 'hashedrekord', version: '0.0.2' } })
  })

  it('answers an entry that it has with 409 and its index', async () => {
    await serve()
    const request = hashedrekord(newPair())
    expect((await post(request)).status).toBe(201)
    const { status, headers, json } = await post(request)
    expect(status).toBe(409)
    expect(headers['x-log-index']).toBe('0')
    expect(json).toMatchObject({ code: 6 })
    expect((await log.checkpoint()).size).toBe(1)
  })

  it('refuses a signature by another key, and over another digest', async () => {
    await serve()
    const pair = newPair()
    const stolen = hashedrekord({ spki: newPair().spki, privateKey: pair.privateKey })
    expect(await post(stolen)).toMatchObject({ status: 400, json: { code: 3 } })
    const request = hashedrekord(pair) as { hashedRekordRequestV002: { digest: string } }
    request.hashedRekordRequestV002.digest = randomBytes(32).toString('base64')
    expect(await post(request)).toMatchObject({ status: 400, json: { code: 3 } })
    expect((await log.checkpoint()).size).toBe(0)
  })

  it('refuses what does not parse, and what is too large', async () => {
    await serve()
    expect(await post('{')).toMatchObject({ status: 400, json: { code: 3 } })
    expect(await post({ more: 1 })).toMatchObject({ status: 400, json: { code: 3 } })
    expect(await post(Buffer.alloc(4 * 1024 * 1024 + 1, 0x20))).toMatchObject({ status: 413, json: { code: 3 } })
  })

  it('takes only entries by its own authority and known keys, where that is demanded', async () => {
    const known = newPair()
    await serve(admitOwn(() => false, [Buffer.from(known.spki, 'base64')]))
    expect((await post(hashedrekord(known))).status).toBe(201)
    expect(await post(hashedrekord(newPair()))).toMatchObject({ status: 403, json: { code: 7 } })
  })

  it('answers 503 with Retry-After beyond what may wait, and 405 once frozen', async () => {
    await serve(admitAnyone, 2)
    const pair = newPair()
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(hashedrekord(pair))))
    const refused = answers.filter(({ status }) => status === 503)
    expect(answers.filter(({ status }) => status === 201).length + refused.length).toBe(12)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.every(({ headers }) => headers['retry-after'] === '1')).toBe(true)
    await log.freeze()
    expect(await post(hashedrekord(pair))).toMatchObject({ status: 405, json: { code: 12, message: 'log frozen' } })
  })

  it('refuses requests beyond what is worked on at once, before it reads them', async () => {
    await serve(admitAnyone, undefined, 3)
    const pair = newPair()
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => post(i < 3 ? hashedrekord(pair) : 'not even JSON')))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, ...Array.from({ length: 7 }, () => 503)])
    expect((await post(hashedrekord(pair))).status).toBe(201)
  })

  it('serves checkpoint and tiles as files, the one never cached, the others for ever', async () => {
    await serve()
    const { json } = await post(hashedrekord(newPair()))
    const get = async (url: string) => app.inject({ method: 'GET', url: `/rekor2/api/v2/${url}` })
    const checkpoint = await get('checkpoint')
    expect(checkpoint.body).toBe((await log.checkpoint()).note)
    expect(checkpoint.headers['cache-control']).toBe('no-cache')
    const tile = await get('tile/0/000.p/1')
    expect(tile.rawPayload).toHaveLength(32)
    expect(tile.headers['cache-control']).toContain('immutable')
    const [body] = splitEntries((await get('tile/entries/000.p/1')).rawPayload)
    expect(Buffer.from(body ?? []).toString('base64')).toBe(json.canonicalizedBody)
    expect((await get('tile/0/000')).statusCode).toBe(404)
    expect((await get('tile/../../keys')).statusCode).toBe(404)
  })
})
