import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundleFromJSON } from '@sigstore/bundle'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '@countersign/core/base64'
import { knownBody } from '@countersign/core/bundle/log-entry'
import { parseBundle } from '@countersign/core/bundle/parse'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJson } from '@countersign/core/json/parse'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { failureOf, refusal } from '../refusal.ts'
import { extensions, issue, nameOf, newAuthority, newKey } from '../x509/issue.ts'
import { b64, encoded, envelopeBundle, keyBundle, logEntry, type Json } from './samples.ts'

const code = (value: Json): string | undefined => refusal(() => parseBundle(encoded(value)))
const oldMediaType = (version: string): Json => ({ mediaType: `application/vnd.dev.sigstore.bundle+json;version=${version}` })
const withEntry = (change: Json, bundle: Json = {}): Json => keyBundle(bundle, { tlogEntries: [logEntry(change)] })
const proof = logEntry()['inclusionProof'] as Json

describe('parseBundle', () => {
  it('reads every part of a bundle', () => {
    expect(parseBundle(encoded(keyBundle()))).toMatchObject({
      version: '0.3',
      material: { kind: 'public-key', hint: 'hint' },
      timestamps: [new Uint8Array(50).fill(7)],
      content: { kind: 'message', claimedDigest: `sha256:${'07'.repeat(32)}` },
      logEntries: [
        {
          logIndex: 771_488_337,
          kind: 'hashedrekord',
          version: '0.0.1',
          integratedTime: 1_766_077_479,
          inclusionProof: { treeSize: 649_584_076 },
        },
      ],
    })
    expect(parseBundle(encoded(envelopeBundle())).content).toMatchObject({ kind: 'dsse', envelope: { signatures: [{}] } })
  })

  it.each(['0.1', '0.2', '0.3'])('reads version %s in both spellings', (version) => {
    for (const mediaType of [
      `application/vnd.dev.sigstore.bundle+json;version=${version}`,
      `application/vnd.dev.sigstore.bundle.v${version}+json`,
    ]) {
      expect(parseBundle(encoded(keyBundle({ mediaType })))).toMatchObject({ version, mediaType })
    }
  })

  it('attack: an entry that was given another body is not the one whose body is known', () => {
    const [entry] = parseBundle(encoded(keyBundle())).logEntries
    if (entry === undefined) throw new CountersignError('internal', 'the sample has an entry')
    expect(knownBody(entry)).toEqual(parseJson(entry.canonicalizedBody))
    expect(knownBody({ ...entry, canonicalizedBody: utf8('{}') })).toBeUndefined()
  })

  it('reads what protojson leaves out: zero indices, empty lists, null members', () => {
    const { logIndex: _, ...rest } = logEntry({ integratedTime: '0', inclusionPromise: null })
    const bundle = parseBundle(encoded(keyBundle({ dsseEnvelope: null }, { tlogEntries: [rest], timestampVerificationData: {} })))
    expect(bundle.logEntries[0]).toMatchObject({ logIndex: 0 })
    expect(bundle.logEntries[0]).not.toHaveProperty('integratedTime')
    expect(bundle.logEntries[0]).not.toHaveProperty('signedEntryTimestamp')
    expect(bundle.timestamps).toEqual([])
  })

  it('reads a message digest without content, which claims nothing', () => {
    const bundle = parseBundle(encoded(keyBundle({ messageSignature: { messageDigest: {}, signature: b64(64) } })))
    expect(bundle.content).not.toHaveProperty('claimedDigest')
  })

  it.each(['0.4', '99.9', '0.31', '1'])('refuses version %s as unsupported', (version) => {
    expect(code(keyBundle(oldMediaType(version)))).toBe('bundle_version_unsupported')
    expect(code(keyBundle({ mediaType: `application/vnd.dev.sigstore.bundle.v${version}+json` }))).toBe('bundle_version_unsupported')
  })

  it.each([
    ['no media type', keyBundle({ mediaType: undefined })],
    ['the media type of something else', keyBundle({ mediaType: 'application/json' })],
    ['a media type with a parameter more', keyBundle({ mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json; charset=utf-8' })],
    ['an unknown field', keyBundle({ extra: 1 })],
    ['an unknown field deep inside', withEntry({ extra: 1 })],
    [
      'attack: snake_case, a second spelling of a field',
      keyBundle({ messageSignature: undefined, message_signature: keyBundle()['messageSignature'] }),
    ],
    ['attack: base64url, a second spelling of bytes', keyBundle({ messageSignature: { signature: '-_-_' } })],
    ['no content', keyBundle({ messageSignature: undefined })],
    [
      'attack: two contents, so that one verifier checks the one and another the other',
      keyBundle({ dsseEnvelope: envelopeBundle()['dsseEnvelope'] }),
    ],
    ['no signer', keyBundle({}, { publicKey: undefined })],
    ['attack: two signers', keyBundle({}, { certificate: { rawBytes: b64(10) } })],
    ['an empty signature', keyBundle({ messageSignature: { signature: '' } })],
    [
      'a digest of another length than its algorithm has',
      keyBundle({ messageSignature: { messageDigest: { algorithm: 'SHA2_512', digest: b64(32) }, signature: b64(70) } }),
    ],
    [
      'a digest of an unknown algorithm',
      keyBundle({ messageSignature: { messageDigest: { algorithm: 'SHA1', digest: b64(20) }, signature: b64(70) } }),
    ],
    ['an enum by number', keyBundle({ messageSignature: { messageDigest: { algorithm: 1, digest: b64(32) }, signature: b64(70) } })],
    [
      'a certificate chain in v0.3',
      keyBundle({}, { publicKey: undefined, x509CertificateChain: { certificates: [{ rawBytes: b64(10) }] } }),
    ],
    ['an empty certificate chain', keyBundle(oldMediaType('0.2'), { publicKey: undefined, x509CertificateChain: { certificates: [] } })],
    [
      'a chain of what is no certificate',
      keyBundle(oldMediaType('0.2'), { publicKey: undefined, x509CertificateChain: { certificates: [{ rawBytes: b64(10) }] } }),
    ],
    ['a negative log index', withEntry({ logIndex: '-1' })],
    ['a log index beyond 2^53', withEntry({ logIndex: '9007199254740993' })],
    ['a negative index in the proof', withEntry({ inclusionProof: { ...proof, logIndex: -5 } })],
    ['a log entry without its log', withEntry({ logId: undefined })],
    ['a log entry without a body', withEntry({ canonicalizedBody: undefined })],
    ['attack: a body of another kind than the entry says', withEntry({ kindVersion: { kind: 'dsse', version: '0.0.1' } })],
    ['attack: a body of another version than the entry says', withEntry({ kindVersion: { kind: 'hashedrekord', version: '0.0.2' } })],
    ['a body that is no JSON', withEntry({ canonicalizedBody: b64(5) })],
    [
      'attack: a body that names its kind twice',
      withEntry({ canonicalizedBody: bytesToBase64(utf8('{"kind":"a","kind":"hashedrekord","apiVersion":"0.0.1"}')) }),
    ],
    ['65 hashes', withEntry({ inclusionProof: { ...proof, hashes: Array.from({ length: 65 }, () => b64(32)) } })],
    ['v0.1 without inclusion promise', withEntry({ inclusionPromise: undefined }, oldMediaType('0.1'))],
    ['v0.2 without inclusion proof', withEntry({ inclusionProof: undefined }, oldMediaType('0.2'))],
    ['v0.2 without checkpoint', withEntry({ inclusionProof: { ...proof, checkpoint: undefined } }, oldMediaType('0.2'))],
    ['v0.3 without inclusion proof', withEntry({ inclusionProof: undefined })],
    ['v0.3 without checkpoint', withEntry({ inclusionProof: { ...proof, checkpoint: undefined } })],
    ['33 log entries', keyBundle({}, { tlogEntries: Array.from({ length: 33 }, (_, i) => logEntry({ logIndex: String(i) })) })],
    ['attack: one log entry given twice, to count as two', keyBundle({}, { tlogEntries: [logEntry(), logEntry({ integratedTime: '1' })] })],
    [
      '33 timestamps',
      keyBundle(
        {},
        { timestampVerificationData: { rfc3161Timestamps: Array.from({ length: 33 }, (_, i) => ({ signedTimestamp: b64(9, i) })) } },
      ),
    ],
    [
      'attack: one timestamp given twice, to count as two',
      keyBundle({}, { timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: b64(9) }, { signedTimestamp: b64(9) }] } }),
    ],
  ])('refuses %s', (_, value) => {
    expect(code(value)).toBe('bundle_malformed')
  })

  it('attack: a weak hash that the bundle chooses is none that exists, whatever the length of its digest', () => {
    for (const algorithm of ['MD5', 'SHA1', 'SHA2_224', 'sha1', '', 2]) {
      for (const length of [16, 20, 28, 32]) {
        const messageSignature = { messageDigest: { algorithm, digest: b64(length) }, signature: b64(70) }
        expect(code(keyBundle({ messageSignature }))).toBe('bundle_malformed')
      }
    }
  })

  it.each([[[]], [undefined], [[{ sig: b64(70) }, { sig: b64(70, 1) }]]])(
    'attack: an envelope with other than one signature has a code of its own',
    (signatures) => {
      expect(code(envelopeBundle({ signatures }))).toBe('dsse_signature_count')
    },
  )

  it('names the place of the failure', () => {
    expect(failureOf(() => parseBundle(encoded(withEntry({ logIndex: '-1' }))))?.message).toMatch(
      /^\$\.verificationMaterial\.tlogEntries\[0\]\.logIndex: /,
    )
  })

  it.each(['', '{', 'null', '[]', '"x"', '{"mediaType":"a","mediaType":"b"}', '['.repeat(100)])('refuses the document %j', (text) => {
    expect(refusal(() => parseBundle(text))).toBe('bundle_malformed')
  })

  it('refuses mutants with its own codes and nothing else', () => {
    const text = JSON.stringify(keyBundle())
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, replacement) => {
        const found = refusal(() => parseBundle(text.slice(0, at) + replacement + text.slice(at + 1)))
        expect([undefined, 'bundle_malformed', 'bundle_version_unsupported']).toContain(found)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the certificate chain of an old bundle', () => {
  const { root, intermediate, issuer } = newAuthority()
  const leaf = issue({ issuer })
  const chained = (...chain: readonly Uint8Array[]): Json => {
    const certificates = chain.map((der) => ({ rawBytes: bytesToBase64(der) }))
    return keyBundle(oldMediaType('0.2'), { publicKey: undefined, x509CertificateChain: { certificates } })
  }

  it('is a leaf and candidates for its issuers', () => {
    expect(parseBundle(encoded(chained(leaf, intermediate))).material).toEqual({ kind: 'certificate', chain: [leaf, intermediate] })
  })

  it('attack: a root certificate in it is refused, wherever it stands, so that it can become no anchor', () => {
    for (const chain of [[leaf, intermediate, root], [leaf, root], [root]]) expect(code(chained(...chain))).toBe('bundle_malformed')
    const selfIssued = { name: nameOf('evil'), key: newKey() }
    const noAuthority = issue({ issuer: selfIssued, subject: selfIssued.name, key: selfIssued.key })
    expect(code(chained(leaf, noAuthority))).toBe('bundle_malformed')
  })

  it('may be one self-signed leaf that is no authority: the verifier decides whether it chains', () => {
    const own = { name: nameOf('own'), key: newKey() }
    expect(code(chained(issue({ issuer: own, subject: own.name, key: own.key, extensions: [extensions.codeSigning()] })))).toBeUndefined()
  })

  it('has at most 10 certificates', () => {
    expect(code(chained(leaf, ...Array.from({ length: 9 }, () => intermediate)))).toBeUndefined()
    expect(code(chained(leaf, ...Array.from({ length: 10 }, () => intermediate)))).toBe('bundle_malformed')
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)('the bundles of the Sigstore conformance suite', () => {
  const cases = join(folder ?? '', 'sigstore-conformance/bundle-verify')
  const names = folder === undefined ? [] : readdirSync(cases).filter((name) => existsSync(join(cases, name, 'bundle.sigstore.json')))
  /** What is wrong with the file itself; all other cases are for the verifier to refuse. */
  const malformed: Record<string, string> = {
    'bundle-empty-certificate-chain_fail': 'bundle_malformed',
    'bundle-invalid-base64-signature_fail': 'bundle_malformed',
    'bundle-malformed-json_fail': 'bundle_malformed',
    'bundle-negative-log-index_fail': 'bundle_malformed',
    'bundle-unknown-version_fail': 'bundle_version_unsupported',
    'bundle-with-root-cert_fail': 'bundle_malformed',
    'intoto-missing-inclusion-proof_fail': 'bundle_malformed',
    'invalid-inclusion-proof_fail': 'bundle_malformed',
    'rekor2-no-inclusion-proof_fail': 'bundle_malformed',
    'rekor2-timestamp-with-incorrect-time_fail': 'bundle_malformed',
  }

  it('are 70', () => {
    expect(names).toHaveLength(70)
  })

  it.each(names)('%s', (name) => {
    expect(refusal(() => parseBundle(readFileSync(join(cases, name, 'bundle.sigstore.json'))))).toBe(malformed[name])
  })

  it('that are read, @sigstore/bundle reads to the same signature, index and body', () => {
    for (const name of names.filter((candidate) => malformed[candidate] === undefined)) {
      const bytes = readFileSync(join(cases, name, 'bundle.sigstore.json'))
      const [ours, theirs] = [parseBundle(bytes), bundleFromJSON(JSON.parse(bytes.toString('utf8')))]
      expect(ours.mediaType).toBe(theirs.mediaType)
      expect(ours.logEntries.map((entry) => [String(entry.logIndex), bytesToBase64(entry.canonicalizedBody)])).toEqual(
        theirs.verificationMaterial.tlogEntries.map((entry) => [entry.logIndex, entry.canonicalizedBody.toString('base64')]),
      )
      const theirSignature =
        theirs.content.$case === 'messageSignature'
          ? theirs.content.messageSignature.signature
          : theirs.content.dsseEnvelope.signatures[0]?.sig
      const ourSignature = ours.content.kind === 'dsse' ? ours.content.envelope.signatures[0]?.sig : ours.content.signature
      expect(bytesToBase64(ourSignature as Uint8Array)).toBe(theirSignature?.toString('base64'))
    }
  })
})
