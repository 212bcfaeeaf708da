/** Evidence as rules look at it: read once when it was proven, so that many verdicts over it cost no parsing and no hashing. */
import { bytesToHex } from '../bytes.ts'
import { digestFromBytes, type Digest } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { JsonValue } from '../json/parse.ts'
import type { Primitives } from '../primitives.ts'
import { isSignatureStatement, parseStatement, predicateValue } from '../statement/statement.ts'
import type { Evidence, OwnCertificateEvidence, SignerEvidence } from '../verify/evidence.ts'

/** One verified signature or attestation. */
export type ProvenItem = {
  readonly evidence: Evidence
  /** Where it was found, for people. */
  readonly source: string
  readonly claim:
    | { readonly kind: 'signature' }
    | { readonly kind: 'attestation'; readonly predicateType: string; readonly predicate: JsonValue | undefined }
  /** SHA-256 of the signed payload; of a signature over the artifact itself, the artifact's digest. */
  readonly content: Digest
  /** Equal for all signatures of one key, and of one certificate identity. */
  readonly signer: string
  /** Two signatures that share one of these are by one signer: a key, also where it is certified, and every name in a certificate. */
  readonly tokens: readonly string[]
  /** The earliest proven time, Unix milliseconds: the signature existed then. */
  readonly signedMs: number | undefined
  /** Orders evidence, and tells duplicates. */
  readonly order: string
}

/**
 * Reads evidence that `verifyEntity` gave. The predicate of an attestation becomes a value when it is first asked for.
 */
export async function readProven(evidence: Evidence, source: string, primitives: Primitives): Promise<ProvenItem> {
  const content = await contentDigest(evidence, primitives)
  const signer = signerKey(evidence.signer)
  const times = evidence.times.map(({ timeMs }) => timeMs)
  const signedMs = times.length === 0 ? undefined : Math.min(...times)
  const proven = evidence.signer.kind === 'certificate' ? (evidence.signer.own?.authorities.join(' ') ?? '') : ''
  const order = [signer, evidence.signer.fingerprint, proven, content, signedMs ?? '', evidence.artifact ?? '', evidence.log.length].join(
    '\n',
  )
  return { evidence, source, claim: claimOf(evidence), content, signer, tokens: tokensOf(evidence.signer), signedMs, order }
}

/** Sorted, and each once: the order in which evidence was found and how often decide nothing. */
export function distinctItems(items: readonly ProvenItem[]): readonly ProvenItem[] {
  const sorted = [...items].sort((a, b) => compare(a.order, b.order) || compare(a.source, b.source))
  return sorted.filter(({ order }, index) => order !== sorted[index - 1]?.order)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** One key is one signer under whatever label; a certificate lives for minutes, so its names are the signer. */
function signerKey(signer: SignerEvidence): string {
  if (signer.kind === 'key') return `key ${signer.fingerprint}`
  return `certificate ${JSON.stringify(signer.own === undefined ? [signer.issuer, signer.subject] : ownNames(signer.own))}`
}

function tokensOf(signer: SignerEvidence): readonly string[] {
  if (signer.kind === 'key') return [`key ${signer.fingerprint}`]
  const names = signer.own === undefined ? [signerKey(signer)] : ownNames(signer.own)
  return [...names, `key ${signer.keyFingerprint}`]
}

/** Whoever has certificates for two sets of names that have one in common is one: each name was certified to be theirs. */
function ownNames({ names, commonName, distinguishedName }: OwnCertificateEvidence): readonly string[] {
  const alternative = names.map(({ kind, value }) => `${kind} ${value}`).sort()
  // A name without common name (an organisation, a country) is that of many.
  return commonName === undefined && alternative.length > 0 ? alternative : [...alternative, `name ${distinguishedName}`]
}

/** The signer for people. */
export function signerText(signer: SignerEvidence): string {
  return signer.kind === 'key' ? `key ${signer.label} (${signer.fingerprint})` : `${signer.subject} (issuer ${signer.issuer})`
}

function claimOf({ content }: Evidence): ProvenItem['claim'] {
  if (content.kind !== 'statement' || isSignatureStatement(content)) return { kind: 'signature' }
  const { predicateType } = content
  let read: { readonly value: JsonValue | undefined } | undefined
  return {
    kind: 'attestation',
    predicateType,
    // A value of many megabytes: made once, and only for a condition that asks.
    get predicate() {
      read ??= { value: predicateValue(parseStatement(content.payload)) }
      return read.value
    },
  }
}

async function contentDigest({ content, artifact }: Evidence, primitives: Primitives): Promise<Digest> {
  if (content.kind === 'message') {
    if (artifact === undefined) throw new CountersignError('internal', 'a signature over an artifact without the digest of it')
    return artifact
  }
  const hash = await primitives.hash('sha256', content.payload)
  const digest = digestFromBytes('sha256', hash)
  if (digest === undefined) throw new CountersignError('internal', `SHA-256 gave ${bytesToHex(hash)}`)
  return digest
}
