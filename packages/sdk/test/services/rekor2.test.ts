import { createHash } from 'node:crypto'
import { hexToBytes, utf8 } from '@countersign/core/bytes'
import type { TransparencyLogEntry } from '@countersign/core/bundle/model'
import { parseDigest } from '@countersign/core/digest'
import { leafHash, rootFromInclusionProof } from '@countersign/core/merkle/proof'
import { hashedrekordBody } from '@countersign/core/rekor/body'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'
import type { LoggableSignature } from '../../src/services/loggable.ts'
import { logInRekor2 } from '../../src/services/rekor2.ts'
import { type Answer, failureOf, fakeService, testClient } from './fake-service.ts'
import { type SmallLog, smallLog } from './small-log.ts'

const signer = testSigner()
const hex = createHash('sha256').update('artifact').digest('hex')
const digest = hexToBytes(hex)
const signature = await signer.signDigest(digest)
const claimedDigest = parseDigest(`sha256:${hex}`)
const signed: LoggableSignature = {
  content: { kind: 'message', signature, ...(claimedDigest === undefined ? {} : { claimedDigest }) },
  publicKey: signer.publicKey,
  algorithm: signer.messageAlgorithm,
}
const body = hashedrekordBody({
  algorithm: signer.messageAlgorithm,
  digest,
  signature,
  signer: { kind: 'public-key', key: signer.publicKey },
})

/** Logs in a log that has the entry at `index` already; `instead` answers in its place where it gives something. */
async function logAgain(
  log: SmallLog,
  index: number,
  instead: (path: string) => Answer | undefined = () => undefined,
  logs = [log.instance],
) {
  const fake = await fakeService(({ method, path }) => {
    const given = instead(path)
    if (given !== undefined) return given
    if (method === 'POST') return { status: 409, headers: { 'x-log-index': String(index) }, body: { code: 6, message: 'it exists' } }
    const file = log.files.get(path.replace('/rekor2/api/v2/', ''))
    return file === undefined ? { status: 404 } : { body: file }
  })
  return { fake, entry: logInRekor2(await testClient(), { url: `${fake.url}/rekor2`, logs }, signed) }
}

/** The root that the proof of an entry leads to. */
async function rootOf({ inclusionProof, canonicalizedBody }: TransparencyLogEntry): Promise<Uint8Array> {
  const { logIndex = 0, treeSize = 0, hashes = [] } = inclusionProof ?? {}
  return rootFromInclusionProof(nodePrimitives, {
    leaf: await leafHash(nodePrimitives, canonicalizedBody),
    index: logIndex,
    treeSize,
    hashes,
  })
}

describe('an entry that the log has already', () => {
  it.each([
    [1, 0],
    [2, 1],
    [3, 0],
    [255, 254],
    [256, 0],
    [257, 256],
    [257, 3],
    [700, 600],
    [66_000, 65_999],
    [66_000, 7],
  ])('of %s, at %s, gets its proof from the tiles', async (size, index) => {
    const log = await smallLog(size, index, body)
    const entry = await (await logAgain(log, index)).entry
    expect(entry).toMatchObject({ logIndex: index, logId: log.instance.logId, kind: 'hashedrekord', version: '0.0.2' })
    expect(entry.inclusionProof).toMatchObject({ logIndex: index, treeSize: size })
    expect(await rootOf(entry)).toEqual(entry.inclusionProof?.rootHash)
    expect(entry.inclusionProof?.checkpoint).toBe(new TextDecoder().decode(log.files.get('checkpoint')))
  })

  it('is waited for until a checkpoint has it', async () => {
    const [before, log] = [await smallLog(4, 0, utf8('other')), await smallLog(5, 4, body)]
    let times = 0
    const old = before.files.get('checkpoint') as Uint8Array
    const { entry } = await logAgain(log, 4, (path) => (path.endsWith('/checkpoint') && times++ < 2 ? { body: old } : undefined))
    expect((await entry).inclusionProof?.treeSize).toBe(5)
  })

  it('is not waited for beyond the deadline', async () => {
    const log = await smallLog(4, 0, utf8('other'))
    const fake = await fakeService(({ method }) =>
      method === 'POST' ? { status: 409, headers: { 'x-log-index': '9' } } : { body: log.files.get('checkpoint') as Uint8Array },
    )
    const asked = logInRekor2(await testClient(700), { url: fake.url, logs: [log.instance] }, signed)
    expect((await failureOf(asked)).code).toBe('deadline_exceeded')
  })

  it('is found in the full tile where the partial one is gone', async () => {
    const log = await smallLog(300, 299, body)
    const grown = await smallLog(512, 299, body)
    const { entry, fake } = await logAgain(log, 299, (path) => {
      if (path.includes('.p/44')) return { status: 404 }
      return path.endsWith('/tile/0/001') ? { body: grown.files.get('tile/0/001') as Uint8Array } : undefined
    })
    const found = await entry
    expect(await rootOf(found)).toEqual(found.inclusionProof?.rootHash)
    expect(fake.asked.map(({ path }) => path)).toContain('/rekor2/api/v2/tile/0/001')
  })

  it('is entry_exists where the log does not say where it is, or is none that is trusted', async () => {
    const log = await smallLog(3, 1, body)
    const silent = await logAgain(log, 1, (path) => (path.endsWith('/entries') ? { status: 409 } : undefined))
    expect((await failureOf(silent.entry)).code).toBe('entry_exists')
    const stranger = await logAgain(log, 1, () => undefined, [(await smallLog(1, 0, body)).instance])
    expect((await failureOf(stranger.entry)).code).toBe('entry_exists')
  })

  it.each<[string, (path: string) => Answer | undefined, string]>([
    [
      'an index that is none',
      (path) => (path.endsWith('/entries') ? { status: 409, headers: { 'x-log-index': '-1' } } : undefined),
      'service_response_malformed',
    ],
    [
      'an index beyond all',
      (path) => (path.endsWith('/entries') ? { status: 409, headers: { 'x-log-index': '9'.repeat(30) } } : undefined),
      'service_response_malformed',
    ],
    ['a checkpoint that is none', (path) => (path.endsWith('/checkpoint') ? { body: 'tree' } : undefined), 'note_malformed'],
    ['no checkpoint', (path) => (path.endsWith('/checkpoint') ? { status: 404 } : undefined), 'service_refused'],
    ['a tile that is too short', (path) => (path.includes('/tile/') ? { body: 'short' } : undefined), 'service_response_malformed'],
    ['a tile that is too long', (path) => (path.includes('/tile/') ? { body: 'x'.repeat(8193) } : undefined), 'service_response_malformed'],
    ['no tile', (path) => (path.includes('/tile/') ? { status: 404 } : undefined), 'service_response_malformed'],
  ])('is not made of %s', async (_name, instead, code) => {
    const { entry } = await logAgain(await smallLog(3, 1, body), 1, instead)
    expect((await failureOf(entry)).code).toBe(code)
  })

  it('attack: tiles of another tree lead to another root, which the verification that follows refuses', async () => {
    const [log, other] = [await smallLog(3, 1, body), await smallLog(3, 0, body)]
    const { entry } = await logAgain(log, 1, (path) =>
      path.includes('/tile/') ? { body: other.files.get('tile/0/000.p/3') as Uint8Array } : undefined,
    )
    const found = await entry
    expect(await rootOf(found)).not.toEqual(found.inclusionProof?.rootHash)
  })
})

describe('an entry', () => {
  it('is asked for as hashedrekord 0.0.2, byte for byte the same when it is sent again', async () => {
    const fake = await fakeService((_, times) => (times < 3 ? { status: 503 } : { status: 400, body: { code: 3, message: 'no' } }))
    expect((await failureOf(logInRekor2(await testClient(), { url: fake.url, logs: [] }, signed))).code).toBe('service_refused')
    expect(new Set(fake.asked.map((asked) => asked.body)).size).toBe(1)
    expect(JSON.parse(fake.asked[0]?.body ?? '')).toEqual({
      hashedRekordRequestV002: {
        digest: Buffer.from(digest).toString('base64'),
        signature: {
          content: Buffer.from(signature).toString('base64'),
          verifier: {
            publicKey: { rawBytes: Buffer.from(signer.publicKey.spki).toString('base64') },
            keyDetails: 'PKIX_ECDSA_P256_SHA_256',
          },
        },
      },
    })
  })

  it.each<[string, Answer, string]>([
    ['400', { status: 400, body: { message: 'the signature does not hold' } }, 'service_refused'],
    ['405, a frozen log', { status: 405, body: { message: 'log frozen' } }, 'service_refused'],
    ['503 that stays', { status: 503 }, 'service_failed'],
    ['no JSON', { status: 201, body: 'entry' }, 'service_response_malformed'],
    ['JSON of another thing', { status: 201, body: { message: 'hello' } }, 'service_response_malformed'],
    ['a list', { status: 201, body: [] }, 'service_response_malformed'],
    ['a lost connection', 'lost', 'service_unreachable'],
  ])('is not made of %s', async (_name, answer, code) => {
    const fake = await fakeService(() => answer)
    expect((await failureOf(logInRekor2(await testClient(), { url: fake.url, logs: [] }, signed))).code).toBe(code)
  })
})
