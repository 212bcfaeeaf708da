import { describe, expect, it } from 'vitest'
import { parseProposedEntryV1 } from '../../src/rekor/proposal-v1.ts'
import { base64, bodyOf, encoded, newKey, primitives, request, sha256 } from './entries.ts'

const key = newKey()
const other = newKey()
const read = (kind: string, apiVersion: string, spec: object): ReturnType<typeof parseProposedEntryV1> =>
  parseProposedEntryV1(primitives, request(kind, apiVersion, spec))
const failsWith = (message: string): unknown =>
  expect.objectContaining({ code: 'log_entry_malformed', message: expect.stringContaining(message) as string })

const payloadType = 'application/vnd.in-toto+json'
const digests = { sha256: 'a'.repeat(64) }
const statement = JSON.stringify({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'x', digest: digests }],
  predicateType: 'https://slsa.dev/provenance/v0.2',
  predicate: { materials: [{ uri: 'git', digest: { sha1: 'b'.repeat(40) } }] },
})

describe('a rekord', () => {
  const content = 'the whole file'
  const signature = { content: base64(key.sign(content)), format: 'x509', publicKey: { content: base64(key.pem) } }

  it('is kept as the digest of its content, which the signature is over', () => {
    const entry = read('rekord', '0.0.1', { data: { content: base64(content) }, signature })
    expect(bodyOf(entry)).toEqual({
      apiVersion: '0.0.1',
      kind: 'rekord',
      spec: { data: { hash: { algorithm: 'sha256', value: sha256(content) } }, signature },
    })
    const [claim] = entry.claims
    expect(claim.over).toEqual({ kind: 'message', message: new Uint8Array(Buffer.from(content)) })
    expect(claim.algorithms.map(({ name }) => name)).toContain('PKIX_ECDSA_P256_SHA_256')
  })

  it('attack: whose digest is that of another file is refused', () => {
    const data = { content: base64(content), hash: { algorithm: 'sha256', value: sha256('another') } }
    expect(() => read('rekord', '0.0.1', { data, signature })).toThrow(failsWith('not that of the content'))
  })

  it('of another kind of key, or without a file, is refused', () => {
    expect(() => read('rekord', '0.0.1', { data: { content: base64(content) }, signature: { ...signature, format: 'pgp' } })).toThrow(
      failsWith('format'),
    )
    expect(() => read('rekord', '0.0.1', { data: { hash: { algorithm: 'sha256', value: sha256(content) } }, signature })).toThrow(
      failsWith('content'),
    )
  })
})

describe('an intoto entry', () => {
  const sig = base64(key.sign(encoded(payloadType, statement)))

  it('of version 0.0.1 keeps digests of the envelope and of the payload, and the one key', () => {
    const envelope = JSON.stringify({ payloadType, payload: base64(statement), signatures: [{ keyid: 'k', sig }] })
    const entry = read('intoto', '0.0.1', { content: { envelope }, publicKey: base64(key.pem) })
    expect(bodyOf(entry)).toEqual({
      apiVersion: '0.0.1',
      kind: 'intoto',
      spec: {
        content: {
          hash: { algorithm: 'sha256', value: sha256(envelope) },
          payloadHash: { algorithm: 'sha256', value: sha256(statement) },
        },
        publicKey: base64(key.pem),
      },
    })
    expect(entry.claims[0].over).toEqual({ kind: 'message', message: new Uint8Array(Buffer.from(encoded(payloadType, statement))) })
  })

  const second = (more: object = {}, envelope: object = {}): object => ({
    content: {
      envelope: {
        payloadType,
        payload: base64(base64(statement)),
        signatures: [{ sig: base64(sig), publicKey: base64(key.pem) }],
        ...envelope,
      },
      hash: { algorithm: 'sha256', value: sha256('envelope') },
      ...more,
    },
  })

  it('of version 0.0.2 keeps no payload, and an empty key identifier not either', () => {
    const signatures = [{ sig: base64(sig), publicKey: base64(key.pem), keyid: '' }]
    for (const spec of [second(), second({}, { signatures })]) {
      expect(bodyOf(read('intoto', '0.0.2', spec))).toEqual({
        apiVersion: '0.0.2',
        kind: 'intoto',
        spec: {
          content: {
            envelope: { payloadType, signatures: [{ publicKey: base64(key.pem), sig: base64(sig) }] },
            hash: { algorithm: 'sha256', value: sha256('envelope') },
            payloadHash: { algorithm: 'sha256', value: sha256(statement) },
          },
        },
      })
    }
    const named = second({}, { signatures: [{ ...signatures[0], keyid: 'k' }] })
    expect(bodyOf(read('intoto', '0.0.2', named))).toMatchObject({ spec: { content: { envelope: { signatures: [{ keyid: 'k' }] } } } })
  })

  it('is found by the digests that its statement names', () => {
    const names = [`sha256:${'a'.repeat(64)}`, `sha1:${'b'.repeat(40)}`]
    expect(read('intoto', '0.0.2', second()).statementDigests).toEqual(names)
    const text = base64(base64('not a statement'))
    expect(read('intoto', '0.0.2', second({}, { payload: text })).statementDigests).toEqual([])
  })

  it.each([
    ['a payload that is in base64 once', second({}, { payload: base64('{"a": 1}') }), 'base64'],
    ['no signature', second({}, { signatures: [] }), 'no signature'],
    [
      'nine signatures',
      second({}, { signatures: Array.from({ length: 9 }, () => ({ sig: base64(sig), publicKey: base64(key.pem) })) }),
      'signatures',
    ],
    ['no digest of the envelope', second({ hash: undefined }), 'hash'],
    ['a digest in capitals', second({ hash: { algorithm: 'sha256', value: 'A'.repeat(64) } }), 'lower-case'],
    ['a signature without a key', second({}, { signatures: [{ sig: base64(sig) }] }), 'publicKey'],
  ])('with %s is refused', (_, spec, message) => {
    expect(() => read('intoto', '0.0.2', spec)).toThrow(failsWith(message))
  })
})

describe('a dsse entry', () => {
  it('keeps each signature with the signer at its place, sorted by signature', () => {
    const [first, second] = [key, other].map((each) => base64(each.sign(encoded(payloadType, statement)))) as [string, string]
    const envelope = JSON.stringify({ payloadType, payload: base64(statement), signatures: [{ sig: first }, { sig: second }] })
    const entry = read('dsse', '0.0.1', { proposedContent: { envelope, verifiers: [base64(key.pem), base64(other.pem)] } })
    const { spec } = bodyOf(entry) as {
      readonly spec: { readonly signatures: readonly { readonly signature: string; readonly verifier: string }[] }
    }
    const pairs = [
      { signature: first, verifier: base64(key.pem) },
      { signature: second, verifier: base64(other.pem) },
    ]
    expect(spec.signatures).toEqual(pairs.toSorted((a, b) => (a.signature < b.signature ? -1 : 1)))
    expect(entry.claims).toHaveLength(2)
    expect(() => read('dsse', '0.0.1', { proposedContent: { envelope, verifiers: [base64(key.pem)] } })).toThrow(
      failsWith('not one verifier for each signature'),
    )
  })
})

describe('an entry', () => {
  it('of a kind or version that is not taken is refused, with those that are', () => {
    expect(() => read('helm', '0.0.1', {})).toThrow(expect.objectContaining({ code: 'not_supported' }))
    expect(() => read('dsse', '0.0.2', {})).toThrow(failsWith('there is no dsse 0.0.2'))
    expect(() => read('hashedrekord', '0.0.3', {})).toThrow(failsWith('apiVersion'))
    expect(() => parseProposedEntryV1(primitives, new Uint8Array(Buffer.from('{"kind":"dsse","kind":"intoto"}')))).toThrow(
      failsWith('kind'),
    )
  })
})
