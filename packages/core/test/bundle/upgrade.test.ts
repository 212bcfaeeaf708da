import { utf8 } from '@countersign/core/bytes'
import type { SignedEntity, TransparencyLogEntry } from '@countersign/core/bundle/model'
import { parseBundle } from '@countersign/core/bundle/parse'
import { serializeBundle } from '@countersign/core/bundle/serialize'
import { upgradeEntity } from '@countersign/core/bundle/upgrade'
import { type Digest, parseDigest } from '@countersign/core/digest'
import { describe, expect, it } from 'vitest'

const digest = parseDigest(`sha256:${'ab'.repeat(32)}`) as Digest
const signature = new Uint8Array([1, 2, 3])
const envelope = { payloadType: 'application/vnd.in-toto+json', payload: utf8('{}'), signatures: [{ sig: signature }] }
const entity: SignedEntity = {
  material: { kind: 'public-key', hint: 'aGludA==' },
  logEntries: [],
  timestamps: [new Uint8Array([4, 5])],
  content: { kind: 'message', claimedDigest: digest, signature },
}
const body = utf8('{"kind":"hashedrekord","apiVersion":"0.0.1"}')
const proof = { logIndex: 1, rootHash: new Uint8Array(32), treeSize: 2, hashes: [new Uint8Array(32)], checkpoint: 'origin\n' }
const logged: TransparencyLogEntry = {
  logIndex: 7,
  logId: new Uint8Array(32),
  kind: 'hashedrekord',
  version: '0.0.1',
  integratedTime: 5,
  signedEntryTimestamp: signature,
  inclusionProof: proof,
  canonicalizedBody: body,
}

describe('upgrading a signature to a bundle v0.3', () => {
  it('carries over everything, so that the bundle reads as what it was made of', () => {
    const { version, mediaType, ...upgraded } = upgradeEntity({ ...entity, logEntries: [logged] })
    expect([version, mediaType]).toStrictEqual(['0.3', 'application/vnd.dev.sigstore.bundle.v0.3+json'])
    expect(upgraded).toStrictEqual({ ...entity, logEntries: [logged] })
    const read = parseBundle(serializeBundle({ version, mediaType, ...upgraded }))
    expect(read).toStrictEqual({ version, mediaType, ...entity, logEntries: [logged] })
  })

  it('adds a hint and a digest only where there was none', () => {
    const other = parseDigest(`sha256:${'cd'.repeat(32)}`) as Digest
    expect(upgradeEntity(entity, { hint: 'b3RoZXI=', digest: other })).toMatchObject({ material: entity.material, content: entity.content })
    const bare: SignedEntity = { ...entity, material: { kind: 'public-key' }, content: { kind: 'message', signature } }
    expect(upgradeEntity(bare, { hint: 'b3RoZXI=', digest })).toMatchObject({
      material: { kind: 'public-key', hint: 'b3RoZXI=' },
      content: { kind: 'message', claimedDigest: digest },
    })
  })

  it('leaves out intermediates only when the verifier has them anyway', () => {
    const [leaf, issuer] = [new Uint8Array([1]), new Uint8Array([2])]
    const chained: SignedEntity = { ...entity, material: { kind: 'certificate', chain: [leaf, issuer] } }
    expect(() => upgradeEntity(chained)).toThrow(expect.objectContaining({ code: 'not_supported' }) as Error)
    expect(() => upgradeEntity(chained, { issuers: [leaf] })).toThrow(expect.objectContaining({ code: 'not_supported' }) as Error)
    expect(upgradeEntity(chained, { issuers: [issuer] }).material).toStrictEqual({ kind: 'certificate', chain: [leaf] })
  })

  const { inclusionProof: _, ...promised } = logged
  const { checkpoint: __, ...unsigned } = proof
  it.each<readonly [string, SignedEntity]>([
    ['a simple-signing payload', { ...entity, content: { kind: 'simple-signing', payload: utf8('{}'), signature } }],
    ['a log entry with a promise alone', { ...entity, logEntries: [promised] }],
    ['a log entry without checkpoint', { ...entity, logEntries: [{ ...logged, inclusionProof: unsigned }] }],
    ['a file signature without digest', { ...entity, content: { kind: 'message', signature } }],
    ['a timestamp over a whole envelope', { ...entity, content: { kind: 'dsse', envelope, document: utf8('{}') } }],
    [
      'an envelope with a keyid',
      { ...entity, content: { kind: 'dsse', envelope: { ...envelope, signatures: [{ sig: signature, keyid: 'k' }] } } },
    ],
    [
      'an envelope with two signatures',
      { ...entity, content: { kind: 'dsse', envelope: { ...envelope, signatures: [...envelope.signatures, { sig: signature }] } } },
    ],
  ])('refuses %s, which the format cannot hold: not_supported', (_name, held) => {
    expect(() => upgradeEntity(held)).toThrow(expect.objectContaining({ code: 'not_supported' }) as Error)
  })
})
