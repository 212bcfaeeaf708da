/** What is fuzzed: each parser with its samples, and the verifier with bundles that verify. */
import { readFileSync } from 'node:fs'
import { bytesToHex, fromUtf8 } from '@countersign/core/bytes'
import { parseLegacyBundle } from '@countersign/core/bundle/legacy'
import { parseBundle } from '@countersign/core/bundle/parse'
import { parseEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import { canonicalJson } from '@countersign/core/json/canonical'
import { parseJson } from '@countersign/core/json/parse'
import { parsePublicKey, parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { parseCheckpoint } from '@countersign/core/note/checkpoint'
import { parseSignedNote } from '@countersign/core/note/signed-note'
import { parseManifest } from '@countersign/core/oci/manifest'
import { parseTimestampRequest, parseTimestampRequestJson } from '@countersign/core/rfc3161/read-request'
import { parseTimestampResponse } from '@countersign/core/rfc3161/token'
import { parseStatement } from '@countersign/core/statement/statement'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { parseTufMetadata, readTufRoot } from '@countersign/core/tuf/read'
import type { Evidence } from '@countersign/core/verify/evidence'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyBundle } from '@countersign/core/verify/verify'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { fulcioIdentity } from '@countersign/core/x509/fulcio'
import { embeddedScts, precertificateTbs } from '@countersign/core/x509/sct'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { checkEncryptedKey } from '@countersign/sdk/keys/encrypted-key'
import { timestampRequests, timestampRequestsJson, tufRoots } from './service-samples.ts'
import { verifiableSamples, type Samples, type VerifiableSample } from './samples.ts'

/** One thing to fuzz. `run` returns whether the mutant was accepted; refusals are thrown as `CountersignError`; anything else is a finding. */
export type Target = {
  readonly name: string
  readonly samples: readonly Uint8Array[]
  readonly run: (mutant: Uint8Array, sample: Uint8Array) => boolean | Promise<boolean>
}

/** Every parser; each takes what comes from outside as it comes. */
export function parserTargets(samples: Samples): Target[] {
  return [
    parser('bundle', samples.bundles, parseBundle),
    parser('legacy bundle', samples.legacyBundles, parseLegacyBundle),
    parser('certificate (DER)', samples.certificates, (der) => {
      const certificate = parseCertificate(der)
      embeddedScts(certificate)
      precertificateTbs(certificate)
      fulcioIdentity(certificate)
    }),
    parser('timestamp (DER, CMS)', samples.timestamps, parseTimestampResponse),
    parser('timestamp request (DER)', timestampRequests(), parseTimestampRequest),
    parser('timestamp request (JSON)', timestampRequestsJson(), parseTimestampRequestJson),
    parser('TUF metadata', tufRoots(), (document) => readTufRoot(parseTufMetadata(document))),
    parser('note and checkpoint', samples.notes, (note) => parseCheckpoint(parseSignedNote(fromUtf8(note)).text)),
    parser('DSSE envelope', samples.envelopes, parseEnvelope),
    parser('in-toto statement', samples.statements, parseStatement),
    parser('JSON, canonical form', [...samples.entryBodies, ...samples.payloads], (json) => canonicalJson(parseJson(json))),
    parser('manifest and index', samples.manifests, (manifest) => {
      parseManifest(
        manifest,
        Buffer.from(manifest).includes('"layers"')
          ? 'application/vnd.oci.image.manifest.v1+json'
          : 'application/vnd.oci.image.index.v1+json',
      )
    }),
    parser('public key (PEM)', samples.publicKeys, (pem) => parsePublicKeyPem(fromUtf8(pem))),
    parser('public key (DER)', samples.publicKeys.map(withoutArmor), parsePublicKey),
    parser('encrypted private key', samples.encryptedKeys, (pem) => checkEncryptedKey(fromUtf8(pem))),
    parser('trusted root', samples.trustedRoots, parseTrustedRoot),
  ]
}

/** A target that only parses. */
export function parser(name: string, samples: readonly Uint8Array[], parse: (bytes: Uint8Array) => unknown): Target {
  return {
    name,
    samples,
    run: (mutant) => {
      parse(mutant)
      return true
    },
  }
}

function withoutArmor(pem: Uint8Array): Uint8Array {
  return new Uint8Array(
    Buffer.from(
      Buffer.from(pem)
        .toString()
        .replaceAll(/-----[^-]*-----|\s/g, ''),
      'base64',
    ),
  )
}

/** The verifier: a mutant bundle may be accepted only if it proves what an original proved, and nothing beyond it. */
export async function verifierTarget(nowMs: number): Promise<Target> {
  const cases = await Promise.all(verifiableSamples().map((sample) => openCase(sample, nowMs)))
  const originals = cases.flatMap((one) => one.evidence)
  return {
    name: 'verification of a bundle',
    samples: cases.map((one) => one.bundle),
    run: async (mutant, sample) => {
      const result = await caseOf(cases, sample).verify(mutant)
      if (!result.ok) throw new CountersignError(result.code, result.detail)
      const { evidence } = result
      if (!originals.some((original) => provesNoMoreThan(evidence, original))) {
        throw new FuzzFinding(`accepted with evidence that no original gives: ${summary(evidence)}`)
      }
      return true
    },
  }
}

function caseOf(cases: readonly Case[], sample: Uint8Array): Case {
  const found = cases.find((one) => one.bundle === sample)
  if (found === undefined) throw new CountersignError('internal', 'a sample of no case')
  return found
}

/** A mutant that did what no mutant may do. Not a refusal, so that no handler of refusals takes it for one. */
export class FuzzFinding {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

type Case = {
  readonly bundle: Uint8Array
  readonly verify: (bundle: Uint8Array) => ReturnType<typeof verifyBundle>
  readonly evidence: readonly Evidence[]
}

async function openCase(sample: VerifiableSample, nowMs: number): Promise<Case> {
  const artifact = { kind: 'bytes', bytes: readFileSync(sample.artifact) } as const
  const root = sample.trustedRoot === undefined ? {} : { trustedRoot: parseTrustedRoot(readFileSync(sample.trustedRoot)) }
  const policy = policyOf(sample)
  const verify = (bundle: Uint8Array) => verifyBundle(bundle, { artifact, policy, ...root, nowMs, primitives: nodePrimitives })
  const bundle = readFileSync(sample.bundle)
  const result = await verify(bundle)
  if (!result.ok) throw new CountersignError('internal', `the sample ${sample.name} does not verify: ${result.code}, ${result.detail}`)
  return { bundle, verify, evidence: [result.evidence] }
}

function policyOf(sample: VerifiableSample): VerifyPolicy {
  const required = { kind: 'required' } as const
  const signedTimestamp = { kind: 'not_demanded' } as const
  const content = { kind: 'any_content' } as const
  if (sample.key !== undefined) {
    const key = parsePublicKeyPem(readFileSync(sample.key, 'utf8'))
    const log = sample.trustedRoot === undefined ? ({ kind: 'not_demanded' } as const) : required
    return {
      signer: { kind: 'keys', keys: [{ key, label: 'key.pub' }] },
      content,
      log,
      sct: { kind: 'not_demanded' },
      signedTimestamp,
      claims: required,
    }
  }
  const signer = { kind: 'any_certified_signer_UNSAFE', reason: 'the fuzzer compares whoever signed with who signed the original' } as const
  return { signer, content, log: required, sct: required, signedTimestamp, claims: required }
}

function provesNoMoreThan(evidence: Evidence, original: Evidence): boolean {
  return (
    identityOf(evidence) === identityOf(original) &&
    evidence.times.every((time) => original.times.some((known) => known.timeMs === time.timeMs && known.authority === time.authority))
  )
}

function identityOf(evidence: Evidence): string {
  const content = evidence.content.kind === 'message' ? 'message' : bytesToHex(evidence.content.payload)
  return [evidence.artifact, content, evidence.signer.fingerprint].join(' ')
}

function summary(evidence: Evidence): string {
  return JSON.stringify({ artifact: evidence.artifact, signer: evidence.signer, times: evidence.times })
}
