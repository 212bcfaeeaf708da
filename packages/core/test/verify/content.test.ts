import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/bytes.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import type { ContentDemand } from '../../src/verify/policy.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  envelopeBy,
  keysOf,
  messageBy,
  newTestKey,
  policyOf,
  signWith,
  simpleSigningBy,
  verified,
} from './forge.ts'

const key = newTestKey()
const provenance = 'https://slsa.dev/provenance/v1'
const demanding = (content: ContentDemand): ReturnType<typeof policyOf> => policyOf(keysOf(key), { content })
const sha256 = digestOf(artifactBytes).slice(7)
const sha512 = digestOf(artifactBytes, 'sha512').slice(7)

describe('an attestation offered as a signature', () => {
  it('is predicate_mismatch: it was signed by the right key, about the right artifact, and still is none', async () => {
    expect(await verified(entityOf(envelopeBy(key, { predicateType: provenance })), demanding({ kind: 'signature' }))).toMatchObject({
      ok: false,
      code: 'predicate_mismatch',
      found: provenance,
    })
  })

  it.each(['https://sigstore.dev/cosign/sign/v1/', 'https://sigstore.dev/cosign/sign/V1', 'https://sigstore.dev/cosign/sign/v1 '])(
    'is none under the type %j either: types compare as bytes',
    async (predicateType) => {
      expect(await verified(entityOf(envelopeBy(key, { predicateType })), demanding({ kind: 'signature' }))).toMatchObject({
        code: 'predicate_mismatch',
      })
    },
  )
})

describe('attack: the signature of an attestation offered as that of a file', () => {
  const envelope = envelopeBy(key, { predicateType: provenance }).envelope
  const encoded = preAuthEncoding(envelope.payloadType, envelope.payload)
  const entity = entityOf({ kind: 'message', signature: (envelope.signatures[0] as { sig: Uint8Array }).sig })

  it('whose bytes are what the signature is over is predicate_mismatch, however the file is given', async () => {
    const inPieces = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < encoded.length; at += 5) yield encoded.subarray(at, at + 5)
    }
    for (const artifact of [
      { kind: 'bytes', bytes: encoded },
      { kind: 'stream', stream: inPieces() },
    ] as const) {
      expect(await verified(entity, demanding({ kind: 'signature' }), { artifact })).toMatchObject({
        ok: false,
        code: 'predicate_mismatch',
      })
    }
  })

  it('is not taken for one that only begins with the same word', async () => {
    const bytes = utf8('DSSEv1 is the name of an encoding')
    const file = entityOf({ kind: 'message', signature: signWith(key, bytes) })
    expect(await verified(file, demanding({ kind: 'signature' }), { artifact: { kind: 'bytes', bytes } })).toMatchObject({ ok: true })
  })
})

describe('a signature offered as an attestation', () => {
  it.each([
    ['a signature statement', envelopeBy(key)],
    ['a message signature', messageBy(key)],
    ['a simple-signing payload', simpleSigningBy(key, digestOf(artifactBytes))],
  ] as const)('is predicate_mismatch: %s', async (_what, content) => {
    expect(await verified(entityOf(content), demanding({ kind: 'attestation' }))).toMatchObject({ ok: false, code: 'predicate_mismatch' })
    const named = demanding({ kind: 'attestation', predicateType: 'https://sigstore.dev/cosign/sign/v1' })
    expect(await verified(entityOf(content), named)).toMatchObject({ ok: false, code: 'predicate_mismatch' })
  })
})

describe('an attestation', () => {
  it('holds under its own predicate type and when any type will do', async () => {
    const entity = entityOf(envelopeBy(key, { predicateType: provenance }))
    for (const demand of [{ kind: 'attestation' }, { kind: 'attestation', predicateType: provenance }, { kind: 'any_content' }] as const) {
      expect(await verified(entity, demanding(demand))).toMatchObject({
        ok: true,
        evidence: { content: { kind: 'statement', predicateType: provenance }, artifact: digestOf(artifactBytes) },
      })
    }
  })

  it('of another predicate type is predicate_mismatch', async () => {
    const entity = entityOf(envelopeBy(key, { predicateType: provenance }))
    expect(await verified(entity, demanding({ kind: 'attestation', predicateType: 'https://spdx.dev/Document' }))).toMatchObject({
      ok: false,
      code: 'predicate_mismatch',
      expected: 'https://spdx.dev/Document',
      found: provenance,
    })
  })

  it('whose predicate type was swapped after signing does not verify', async () => {
    const signed = envelopeBy(key, { predicateType: provenance })
    const swapped = envelopeBy(newTestKey(), { predicateType: 'https://spdx.dev/Document' })
    const content = { ...swapped, envelope: { ...swapped.envelope, signatures: signed.envelope.signatures } }
    expect(await verified(entityOf(content), demanding({ kind: 'attestation' }))).toMatchObject({ ok: false, code: 'signer_untrusted' })
  })
})

describe('an envelope', () => {
  it.each([0, 2])('with %i signatures is dsse_signature_count, whoever made them', async (count) => {
    const { envelope } = envelopeBy(key)
    const [good] = envelope.signatures
    const signatures = Array.from({ length: count }, () => good as NonNullable<typeof good>)
    expect(await verified(entityOf({ kind: 'dsse', envelope: { ...envelope, signatures } }), policyOf(keysOf(key)))).toMatchObject({
      ok: false,
      code: 'dsse_signature_count',
    })
  })

  it('of another payload type is dsse_malformed, although its signature is right', async () => {
    const content = envelopeBy(key, { payloadType: 'application/vnd.docker.distribution.manifest.v2+json' })
    expect(await verified(entityOf(content), demanding({ kind: 'any_content' }))).toMatchObject({ ok: false, code: 'dsse_malformed' })
  })

  it('that holds no statement is statement_malformed', async () => {
    const payload = utf8('{"_type":"https://in-toto.io/Statement/v1"}')
    const payloadType = 'application/vnd.in-toto+json'
    const signatures = [{ sig: signWith(key, preAuthEncoding(payloadType, payload)) }]
    const content = { kind: 'dsse', envelope: { payloadType, payload, signatures } } as const
    expect(await verified(entityOf(content), demanding({ kind: 'any_content' }))).toMatchObject({ ok: false, code: 'statement_malformed' })
  })
})

describe('the subjects of a statement', () => {
  const about = async (subject: readonly object[], digests = [digestOf(artifactBytes)]): Promise<string> => {
    const artifact = { kind: 'digest', digests } as const
    const result = await verified(entityOf(envelopeBy(key, { subject })), policyOf(keysOf(key)), { artifact })
    return result.ok ? 'verified' : result.code
  }
  const wrong = '0'.repeat(64)

  it('may be several, one of them the artifact', async () => {
    expect(await about([{ digest: { sha256: wrong } }, { digest: { sha256 } }])).toBe('verified')
  })

  it('of another artifact are subject_mismatch', async () => {
    expect(await about([{ digest: { sha256: wrong } }])).toBe('subject_mismatch')
  })

  it('do not mix: SHA-256 of this artifact beside SHA-512 of another is neither', async () => {
    const both = [digestOf(artifactBytes), digestOf(artifactBytes, 'sha512')]
    expect(await about([{ digest: { sha256, sha512: '0'.repeat(128) } }], both)).toBe('subject_mismatch')
    expect(await about([{ digest: { sha256: wrong, sha512 } }], both)).toBe('subject_mismatch')
    expect(await about([{ digest: { sha256: wrong } }, { digest: { sha512: '0'.repeat(128) } }], both)).toBe('subject_mismatch')
    expect(await about([{ digest: { sha256, sha512 } }], both)).toBe('verified')
  })

  it('do not mix for the artifact itself either: every hash that a subject names is computed', async () => {
    const subject = [{ digest: { sha256, sha512: '0'.repeat(128) } }]
    expect(await verified(entityOf(envelopeBy(key, { subject })), policyOf(keysOf(key)))).toMatchObject({ code: 'subject_mismatch' })
  })

  it.each([
    ['SHA-1', { sha1: '0'.repeat(40) }],
    ['upper case', { sha256: sha256.toUpperCase() }],
    ['a name in upper case', { SHA256: sha256 }],
    ['a cut digest', { sha256: sha256.slice(0, 32) }],
    ['an empty digest', { sha256: '' }],
  ])('that name it by %s only do not name it', async (_what, digest) => {
    expect(await about([{ digest }])).toBe('subject_mismatch')
  })
})

describe('a waiver of claims', () => {
  const claims = { kind: 'waived_UNSAFE', reason: 'only the signer matters here' } as const
  const elsewhere = { kind: 'digest', digests: [digestOf(new Uint8Array(9))] } as const

  it('accepts a statement about another artifact, says so, and gives no artifact in the evidence', async () => {
    const result = await verified(entityOf(envelopeBy(key)), policyOf(keysOf(key), { claims }), { artifact: elsewhere })
    expect(result).toMatchObject({ ok: true, evidence: { waivers: [{ check: 'artifact_digest', reason: claims.reason }] } })
    expect(result.ok && 'artifact' in result.evidence).toBe(false)
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).not.toContain('artifact_digest')
  })

  it('takes the annotations of the only subject there is, and of several those of none', async () => {
    const prod = { digest: { sha256 }, annotations: { env: 'prod' } }
    const other = { digest: { sha256: '0'.repeat(64) }, annotations: { env: 'test' } }
    for (const [subject, annotations] of [
      [[prod], { env: 'prod' }],
      [[prod, other], {}],
    ] as const) {
      const result = await verified(entityOf(envelopeBy(key, { subject })), policyOf(keysOf(key), { claims }), { artifact: elsewhere })
      expect(result.ok && { ...result.evidence.annotations }).toEqual(annotations)
    }
  })

  it('does not reach message signatures: they are over the artifact itself', async () => {
    expect(await verified(entityOf(messageBy(key)), policyOf(keysOf(key), { claims }), { artifact: elsewhere })).toMatchObject({
      ok: false,
      code: 'artifact_altered',
    })
  })

  it('is needed by name: claims that nobody demanded are checked', async () => {
    const policy = policyOf(keysOf(key), { claims: { kind: 'not_demanded' } })
    expect(await verified(entityOf(envelopeBy(key)), policy, { artifact: elsewhere })).toMatchObject({ code: 'subject_mismatch' })
  })
})

describe('a simple-signing payload', () => {
  it('of another manifest is subject_mismatch', async () => {
    const content = simpleSigningBy(key, digestOf(new Uint8Array(1)))
    expect(await verified(entityOf(content), policyOf(keysOf(key)))).toMatchObject({ ok: false, code: 'subject_mismatch' })
  })

  it.each(['', 'sha256:', `sha256:${sha256.toUpperCase()}`, `md5:${'0'.repeat(32)}`])(
    'with the digest %j is bundle_malformed',
    async (digest) => {
      expect(await verified(entityOf(simpleSigningBy(key, digest)), policyOf(keysOf(key)))).toMatchObject({ code: 'bundle_malformed' })
    },
  )
})

describe('annotations', () => {
  const demanded = (...pairs: [string, string][]): ReturnType<typeof policyOf> =>
    demanding({ kind: 'signature', annotations: new Map(pairs) })
  const forms = {
    'of a statement': envelopeBy(key),
    'of a simple-signing payload': simpleSigningBy(key, digestOf(artifactBytes), { env: 'prod', build: 7 }),
  }

  it.each(Object.entries(forms))('%s are in the evidence, and checked when demanded', async (_name, content) => {
    const result = await verified(entityOf(content), demanded(['env', 'prod']))
    expect(result).toMatchObject({ ok: true, evidence: { annotations: { env: 'prod' } } })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).toContain('annotations')
  })

  it.each(Object.entries(forms))('%s that differ or are missing are annotation_mismatch', async (_name, content) => {
    for (const [name, value] of [
      ['env', 'test'],
      ['team', 'a'],
      ['__proto__', 'x'],
      ['constructor', 'x'],
      ['build', '7'],
    ] as const) {
      expect(await verified(entityOf(content), demanded(['env', 'prod'], [name, value]))).toMatchObject({ code: 'annotation_mismatch' })
    }
  })

  it('of another subject do not count', async () => {
    const subject = [
      { digest: { sha256: '0'.repeat(64) }, annotations: { env: 'prod' } },
      { digest: { sha256 }, annotations: { env: 'test' } },
    ]
    expect(await verified(entityOf(envelopeBy(key, { subject })), demanded(['env', 'prod']))).toMatchObject({ code: 'annotation_mismatch' })
  })

  it('cannot be in a message signature', async () => {
    expect(await verified(entityOf(messageBy(key)), demanded(['env', 'prod']))).toMatchObject({ code: 'annotation_mismatch' })
  })
})
