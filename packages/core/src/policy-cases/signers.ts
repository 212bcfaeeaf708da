/** Who signed in a case: read, and made into what verification would have proven of such a signer. */
import { utf8 } from '../bytes.ts'
import { digestFromBytes, type Digest } from '../digest.ts'
import { CountersignError, unreachable } from '../failure.ts'
import { count, entries, isAbsent, members, oneMember, optional, refuse, text, type Place } from '../json/shape.ts'
import { keyFingerprint } from '../keys/public-key.ts'
import { extensionArcs } from '../policy/extensions.ts'
import { bounded, isObject } from '../policy/fields.ts'
import type { CompiledPolicy } from '../policy/compile.ts'
import type { PolicyIdentity } from '../policy/model.ts'
import type { Primitives } from '../primitives.ts'
import type { SignerEvidence } from '../verify/evidence.ts'
import type { NameMatch } from '../verify/policy.ts'
import type { CaseSigner } from './model.ts'

const maxExtensions = 32

/** Reads `signedBy`: the name of an identity, `{identity, key}`, `{certificate}` or `{outsider}`. */
export function readSigner(at: Place): CaseSigner {
  if (!isObject(at)) return { kind: 'identity', name: bounded(at), key: 0 }
  const field = members(at, ['identity', 'key', 'certificate', 'outsider'])
  const kind = oneMember(at, field, ['identity', 'certificate', 'outsider'])
  if (kind !== 'identity' && !isAbsent(field('key'))) refuse(field('key'), 'belongs to an identity')
  if (kind === 'identity') return { kind, name: bounded(field(kind)), key: optional(field('key'), count) ?? 0 }
  if (kind === 'outsider') return { kind, name: bounded(field(kind)) }
  const names = members(field(kind), ['issuer', 'subject', 'extensions'])
  const extensions = isAbsent(names('extensions')) ? [] : entries(names('extensions'), maxExtensions)
  return {
    kind,
    issuer: bounded(names('issuer')),
    subject: bounded(names('subject')),
    extensions: Object.fromEntries(extensions.map(([name, place]) => [extensionArcs[name] ?? name, text(place)])),
  }
}

/** SHA-256 of a text, as a digest: stands for what a case does not have. */
export async function digestOf(words: string, primitives: Primitives): Promise<Digest> {
  const digest = digestFromBytes('sha256', await primitives.hash('sha256', utf8(words)))
  if (digest === undefined) throw new CountersignError('internal', 'SHA-256 gave no digest')
  return digest
}

/** What would have been proven of the signer. Throws `policy_malformed` when the policy has no such identity or key. */
export async function signerEvidence(
  signer: CaseSigner,
  path: string,
  compiled: CompiledPolicy,
  primitives: Primitives,
): Promise<SignerEvidence> {
  switch (signer.kind) {
    case 'outsider':
      return { kind: 'key', label: signer.name, fingerprint: await digestOf(`outsider ${signer.name}`, primitives) }
    case 'certificate':
      return certified(signer.issuer, signer.subject, signer.extensions, primitives)
    case 'identity':
      return identityEvidence(signer, path, compiled, primitives)
    default:
      return unreachable(signer)
  }
}

async function identityEvidence(
  { name, key: index }: Extract<CaseSigner, { kind: 'identity' }>,
  path: string,
  compiled: CompiledPolicy,
  primitives: Primitives,
): Promise<SignerEvidence> {
  const told = compiled.policy.identities.get(name)
  const identity = compiled.identities.find((each) => each.name === name)
  if (told === undefined || identity === undefined) {
    throw new CountersignError('policy_malformed', `${path}.signedBy: policy ${compiled.policy.name} has no identity ${name}`, {
      expected: `one of ${[...compiled.policy.identities.keys()].join(', ')}, {certificate: …} or {outsider: NAME}`,
    })
  }
  if (told.signer.kind === 'certificate') return sampleCertificate(told, told.signer, path, primitives)
  if (told.signer.kind === 'x509') return ownCertificate(name, identity.authority?.id ?? '', primitives)
  const key = identity.keys[index]
  if (key === undefined) {
    throw new CountersignError('policy_malformed', `${path}.signedBy: identity ${name} has ${identity.keys.length} keys, counted from 0`, {
      found: String(index),
    })
  }
  return { kind: 'key', label: name, fingerprint: await keyFingerprint(key.key, primitives) }
}

/** A certificate that fits the identity, where it is plain what such a certificate says. */
async function sampleCertificate(
  { name }: PolicyIdentity,
  signer: Extract<PolicyIdentity['signer'], { kind: 'certificate' }>,
  path: string,
  primitives: Primitives,
): Promise<SignerEvidence> {
  const sample = (match: NameMatch): string => {
    if (match.kind === 'exact') return match.value
    if (match.kind === 'glob') return match.value.replaceAll(/[*?]+/g, 'x')
    throw new CountersignError('policy_malformed', `${path}.signedBy: identity ${name} has a pattern, which many names fit`, {
      hint: 'Name the issuer and subject: {certificate: {issuer: …, subject: …}}.',
    })
  }
  const extensions = [...signer.extensions].map(([arc, match]) => [arc, sample(match)] as const)
  return certified(sample(signer.issuer), sample(signer.subject), Object.fromEntries(extensions), primitives)
}

/** A certificate of the authority that the identity names, with names that fit. */
async function ownCertificate(name: string, authority: string, primitives: Primitives): Promise<SignerEvidence> {
  const base = await certified(`CN=authority of ${name}`, name, {}, primitives)
  return { ...base, own: { authorities: [authority], names: [], commonName: name, distinguishedName: `CN=${name}` } }
}

async function certified(
  issuer: string,
  subject: string,
  extensions: Readonly<Record<string, string>>,
  primitives: Primitives,
): Promise<Extract<SignerEvidence, { kind: 'certificate' }>> {
  const fingerprint = await digestOf(`certificate ${JSON.stringify([issuer, subject])}`, primitives)
  return {
    kind: 'certificate',
    issuer,
    subject,
    fingerprint,
    keyFingerprint: await digestOf(`key of ${fingerprint}`, primitives),
    notBeforeMs: Number.NEGATIVE_INFINITY,
    notAfterMs: Number.POSITIVE_INFINITY,
    extensions,
  }
}
