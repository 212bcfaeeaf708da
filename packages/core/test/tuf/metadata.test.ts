import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { Metadata, MetadataKind, type Root } from '@tufjs/models'
import type { JsonObject } from '../../src/json/parse.ts'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../src/bytes.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import { tufCanonicalJson } from '../../src/tuf/canonical.ts'
import { parseTufMetadata, readTufRoot, readTufTargets } from '../../src/tuf/read.ts'
import { signTufContent, signTufFile, validTufSignatures, type TufSigner } from '../../src/tuf/sign.ts'
import { encodeTufMetadata, rootContent, snapshotContent, targetsContent, timestampContent, tufKey } from '../../src/tuf/write.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { refusal } from '../refusal.ts'

type JSONObject = Parameters<typeof Metadata.fromJSON>[1]
const primitives = webPrimitives(crypto.subtle)
const expiresMs = Date.UTC(2027, 0, 1)

function newSigner(namedCurve = 'P-256'): TufSigner {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve })
  const publicKey = parsePublicKey(new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' })))
  return { publicKey, sign: (message) => new Uint8Array(sign('sha256', message, privateKey)) }
}

async function rootOf(signers: readonly TufSigner[], threshold: number) {
  const keys = await Promise.all(signers.map(({ publicKey }) => tufKey(publicKey, primitives)))
  const one = { keys: keys.slice(0, 1), threshold: 1 }
  return { version: 1, expiresMs, roles: { root: { keys, threshold }, targets: one, snapshot: one, timestamp: one } }
}

describe('TUF metadata', () => {
  it('reads back as it was written', async () => {
    const root = await rootOf([newSigner(), newSigner()], 2)
    expect(readTufRoot(parseTufMetadata(encodeTufMetadata(rootContent(root), [])))).toEqual(root)
    const targets = new Map([['trusted_root.json', { length: 3, sha256: 'ab'.repeat(32), custom: { sigstore: { usage: 'Fulcio' } } }]])
    expect(readTufTargets(parseTufMetadata(encodeTufMetadata(targetsContent(1, expiresMs, targets), [])))).toEqual(targets)
  })

  it("names keys as TUF's other implementations do, and its signatures hold there", async () => {
    const signers = [newSigner(), newSigner()]
    const root = await rootOf(signers, 2)
    const content = rootContent(root)
    const signatures = await Promise.all(signers.map((signer) => signTufContent(content, signer, primitives)))
    const json = JSON.parse(fromUtf8(encodeTufMetadata(content, signatures))) as JSONObject
    const oracle: Metadata<Root> = Metadata.fromJSON(MetadataKind.Root, json)
    expect(() => oracle.verifyDelegate('root', oracle)).not.toThrow()
    const [key] = Object.values(oracle.signed.keys)
    const canonical = fromUtf8(
      tufCanonicalJson({ keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: key?.keyVal['public'] as string } }),
    )
    expect(createHash('sha256').update(canonical).digest('hex')).toBe(key?.keyID)
    const file = { version: 2, length: 5, sha256: 'cd'.repeat(32) }
    const read = async (signed: JsonObject): Promise<JSONObject> =>
      JSON.parse(fromUtf8(encodeTufMetadata(signed, [await signTufContent(signed, signers[0] as TufSigner, primitives)]))) as JSONObject
    const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, await read(snapshotContent(3, expiresMs, file)))
    const timestamp = Metadata.fromJSON(MetadataKind.Timestamp, await read(timestampContent(4, expiresMs, file)))
    expect(() => oracle.verifyDelegate('snapshot', snapshot)).not.toThrow()
    expect(() => oracle.verifyDelegate('timestamp', timestamp)).not.toThrow()
  })

  it('is signed by each key once, by files that travel', async () => {
    const [a, b, stranger] = [newSigner(), newSigner(), newSigner()]
    const root = await rootOf([a, b], 2)
    let file = encodeTufMetadata(rootContent(root), [])
    const valid = async (): Promise<number> => (await validTufSignatures(parseTufMetadata(file), root.roles.root, primitives)).length
    expect(await valid()).toBe(0)
    for (const signer of [a, a, stranger]) file = await signTufFile(file, signer, primitives)
    expect(await valid()).toBe(1)
    file = await signTufFile(file, b, primitives)
    expect(await valid()).toBe(2)
    expect(parseTufMetadata(file).signatures).toHaveLength(3)
  })

  it('attack: one key under two names counts once, whatever the names', async () => {
    const signer = newSigner()
    const { id, publicKey } = await tufKey(signer.publicKey, primitives)
    const role = {
      keys: [
        { id, publicKey },
        { id: 'ab'.repeat(32), publicKey },
      ],
      threshold: 2,
    }
    const { version, roles } = await rootOf([signer], 1)
    const content = rootContent({ version, expiresMs, roles })
    const signature = await signTufContent(content, signer, primitives)
    const file = encodeTufMetadata(content, [signature, { ...signature, keyId: 'ab'.repeat(32) }])
    expect(await validTufSignatures(parseTufMetadata(file), role, primitives)).toHaveLength(1)
  })

  it('that was altered after signing has no valid signature', async () => {
    const signer = newSigner()
    const root = await rootOf([signer], 1)
    const file = fromUtf8(await signTufFile(encodeTufMetadata(rootContent(root), []), signer, primitives))
    const altered = parseTufMetadata(file.replace('2027', '2037'))
    expect(await validTufSignatures(altered, root.roles.root, primitives)).toEqual([])
  })

  it('is never written with a threshold that its keys cannot reach', async () => {
    const signer = newSigner()
    const root = await rootOf([signer, signer], 2)
    expect(refusal(() => rootContent(root))).toBe('tuf_malformed')
    await expect(tufKey(newSigner('P-384').publicKey, primitives)).rejects.toMatchObject({ code: 'key_unsupported' })
  })

  const root = '{"signatures":[],"signed":{"_type":"root","version":1,"expires":"2027-01-01T00:00:00Z","keys":{},"roles":{}}}'
  it.each([
    ['a threshold of none', root.replace('"roles":{}', '"roles":{"root":{"keyids":[],"threshold":0}}')],
    ['a key that is not listed', root.replace('"roles":{}', '"roles":{"root":{"keyids":["aa"],"threshold":1}}')],
  ])('with %s is refused', (_, document) => {
    expect(refusal(() => readTufRoot(parseTufMetadata(document)))).toBe('tuf_malformed')
  })

  it.each([
    ['version 0', root.replace('"version":1', '"version":0')],
    ['two signatures of one key', root.replace('"signatures":[]', '"signatures":[{"keyid":"aa","sig":"bb"},{"keyid":"aa","sig":"cc"}]')],
    ['an expiry that is no time', root.replace('2027-01-01T00:00:00Z', 'never')],
    ['another role', root.replace('"root"', '"mirrors"')],
  ])('with %s is refused', (_, document) => {
    expect(refusal(() => parseTufMetadata(document))).toBe('tuf_malformed')
  })

  it('is canonical in the way of OLPC: a line break in a string stands as it is, and fractions have no form', () => {
    expect(tufCanonicalJson({ b: 'x\n"\\', a: [1, null, true] })).toEqual(utf8('{"a":[1,null,true],"b":"x\n\\"\\\\"}'))
    expect(refusal(() => tufCanonicalJson(1.5))).toBe('json_malformed')
  })
})
