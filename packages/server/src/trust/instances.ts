/** Every instance of a service that this installation ever trusted: who it is, where, and from when to when. */
import { equalBytes } from '@countersign/core/bytes'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import { decodePem, encodePem } from '@countersign/core/pem'
import type { TimeRange } from '@countersign/core/trust/model'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { purposeOid } from '@countersign/core/x509/oids'
import type { InstanceRow } from './tables.ts'

/** Services that sign, by what the trusted root calls them; and the identity provider, which is only named in the signing config. */
export const trustRoles = ['ca', 'ct', 'rekor1', 'rekor2', 'tsa', 'oidc'] as const

/** One of them. */
export type InstanceRole = (typeof trustRoles)[number]

/** How an instance is recognised: logs by a key, authorities by certificates (the issuing one, or the one that stamps, first; the root last). */
export type TrustAnchor =
  | { readonly kind: 'key'; readonly publicKey: PublicKey }
  | { readonly kind: 'chain'; readonly certificates: readonly Uint8Array[] }
  | { readonly kind: 'none' }

/** One instance. */
export type TrustInstance = {
  /** Unique for ever; the name of its key, as `rekor2-1`. */
  readonly id: string
  readonly role: InstanceRole
  /** Where clients reach it: a base URL, of a timestamp authority the whole endpoint. */
  readonly url: string
  /** Who runs it. Clients take one service of each operator. */
  readonly operator: string
  readonly anchor: TrustAnchor
  /** Both ends are inside. */
  readonly validFor: TimeRange
  /** Planned: the service signs with it from then on, and with the one before until then. One that ended before never signs. */
  readonly signsFromMs?: number
}

/** Whether its service signs, or signed, with it. Not yet: it is planned. Never: the plan was given up. */
export function mayHaveSigned({ signsFromMs, validFor }: Pick<TrustInstance, 'signsFromMs' | 'validFor'>, nowMs: number): boolean {
  return signsFromMs === undefined || (signsFromMs <= nowMs && (validFor.end === undefined || validFor.end >= signsFromMs))
}

/** Throws `trust_instance_malformed` for an instance that no client could use, or that would say something else to different clients. */
export function checkInstance(instance: TrustInstance): void {
  const { id, role, anchor, url, validFor } = instance
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(id)) throw malformed(instance, 'its name is not made of letters, digits and dashes')
  // Hostile or not: it is shown in commands that people copy into a shell.
  if (!/^https?:\/\/[A-Za-z0-9.:[\]-]+(?:\/[A-Za-z0-9._~%/-]*)?$/.test(url) || URL.parse(url) === null) {
    throw malformed(instance, `${JSON.stringify(url.slice(0, 120))} is not a plain URL`)
  }
  if (validFor.end !== undefined && validFor.end < validFor.start) throw malformed(instance, 'it ends before it starts')
  switch (role) {
    case 'ct':
    case 'rekor1':
      // sigstore-go verifies what Rekor v1 signs with ECDSA on P-256 alone.
      if (anchor.kind !== 'key' || anchor.publicKey.type !== 'ec-p256') throw malformed(instance, 'it needs a key on P-256')
      return
    case 'rekor2':
      if (anchor.kind !== 'key' || !['ed25519', 'ec-p256'].includes(anchor.publicKey.type)) {
        throw malformed(instance, 'it needs a key of Ed25519 or P-256')
      }
      return
    case 'ca':
    case 'tsa':
      return checkChain(instance, role)
    case 'oidc':
      if (anchor.kind !== 'none') throw malformed(instance, 'an identity provider is recognised by its URL')
      return
    default:
      return unreachable(role)
  }
}

function checkChain(instance: TrustInstance, role: 'ca' | 'tsa'): void {
  if (instance.anchor.kind !== 'chain') throw malformed(instance, 'it needs certificates')
  const chain = instance.anchor.certificates.map(parseCertificate)
  const [first] = chain
  const last = chain.at(-1)
  if (first === undefined || last === undefined || !equalBytes(last.issuer.raw, last.subject.raw)) {
    throw malformed(instance, 'its certificates do not end with a root')
  }
  const broken = chain.some((certificate, i) => i > 0 && !equalBytes(chain[i - 1]?.issuer.raw ?? new Uint8Array(), certificate.subject.raw))
  if (broken || chain.slice(1).some(({ basicConstraints }) => basicConstraints?.ca !== true)) {
    throw malformed(instance, 'its certificates are not in the order in which each is issued by the next')
  }
  if (role === 'ca' && first.basicConstraints?.ca !== true) throw malformed(instance, 'its first certificate is no authority')
  const purposes = first.extKeyUsage ?? []
  // RFC 3161 §2.3. Clients ask for no certificates: without the one that stamps, none of them could verify.
  if (role === 'tsa' && (first.basicConstraints?.ca === true || purposes.length !== 1 || purposes[0] !== purposeOid.timeStamping)) {
    throw malformed(instance, 'its first certificate is not one that stamps')
  }
}

function malformed({ id }: TrustInstance, detail: string): CountersignError {
  return new CountersignError('trust_instance_malformed', `${id.slice(0, 80)} cannot be trusted: ${detail}`)
}

/** An instance as it is kept. */
export function instanceRow(instance: TrustInstance): InstanceRow {
  const { id, role, url, operator, anchor, validFor, signsFromMs } = instance
  return {
    id,
    role,
    url,
    operator,
    spki: anchor.kind === 'key' ? anchor.publicKey.spki : null,
    chain: anchor.kind === 'chain' ? anchor.certificates.map((der) => encodePem('CERTIFICATE', der)).join('') : null,
    starts_at: validFor.start,
    ends_at: validFor.end ?? null,
    signs_at: signsFromMs ?? null,
  }
}

/** An instance as it was kept. Throws `trust_damaged`. */
export function instanceOfRow(row: InstanceRow): TrustInstance {
  const role = trustRoles.find((known) => known === row.role)
  if (role === undefined) throw damaged(row)
  const { id, url, operator, starts_at: start, ends_at: end, signs_at: signsFromMs } = row
  const validFor = end === null ? { start } : { start, end }
  return { id, role, url, operator, anchor: anchorOf(row), validFor, ...(signsFromMs === null ? {} : { signsFromMs }) }
}

function anchorOf(row: InstanceRow): TrustAnchor {
  try {
    if (row.spki !== null) return { kind: 'key', publicKey: parsePublicKey(new Uint8Array(row.spki)) }
    if (row.chain !== null) return { kind: 'chain', certificates: decodePem(row.chain, 'CERTIFICATE').map(({ bytes }) => bytes) }
    return { kind: 'none' }
  } catch (cause) {
    throw damaged(row, cause)
  }
}

function damaged({ id }: InstanceRow, cause?: unknown): CountersignError {
  return new CountersignError('trust_damaged', `the record of the trusted instance ${id} cannot be read`, {
    cause,
    hint: 'Restore the database from a backup.',
  })
}
