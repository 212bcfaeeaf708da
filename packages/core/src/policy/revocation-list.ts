/**
 * A list of what is no longer trusted: a DSSE envelope, signed by a threshold of keys that the policy names, with a version and an expiry.
 *
 * Monotonic: versions rise, entries stay, effective moments only move earlier, severity only rises. So what an old list refuses every newer one
 * refuses, and who shows an old list (rollback) or none that is fresh (freeze) is noticed.
 */
import { parseDigest, type Digest } from '../digest.ts'
import { unreachable } from '../failure.ts'
import { compileGlob } from '../glob.ts'
import type { JsonObject } from '../json/parse.ts'
import { parseJsonAs } from '../json/parse.ts'
import {
  count,
  documentPlace,
  isAbsent,
  items,
  members,
  nonEmptyText,
  oneMember,
  oneOf,
  optional,
  refuse,
  text,
  type Place,
} from '../json/shape.ts'
import type { NameMatch } from '../verify/policy.ts'
import { bounded, readMoment, readName, readNameMatch } from './fields.ts'

/** Payload type of the envelope: not that of statements, so that no attestation is ever a revocation list. */
export const revocationPayloadType = 'application/vnd.countersign.revocations.v1+json'

/** What an entry revokes. */
export type RevocationTarget =
  | { readonly kind: 'key'; readonly fingerprint: Digest }
  | { readonly kind: 'certificate'; readonly issuer: NameMatch; readonly subject: NameMatch }
  | { readonly kind: 'logEntry'; readonly log: string; readonly index: number }
  | { readonly kind: 'artifact'; readonly digest: Digest }
  /** One signature: SHA-256 of its payload (or the digest of the file that it is over), and the fingerprint of its key or certificate. */
  | { readonly kind: 'signature'; readonly content: Digest; readonly signer: Digest }

/** One entry. Without `effectiveMs` it holds for signatures of all times. */
export type RevocationEntry = {
  readonly target: RevocationTarget
  readonly effectiveMs?: number
  readonly severity: 'deny' | 'warn'
  readonly reason: string
}

/** A list as read. */
export type RevocationList = {
  readonly name: string
  readonly version: number
  readonly issuedMs: number
  readonly expiresMs: number
  readonly entries: readonly RevocationEntry[]
}

const maxEntries = 100_000
const maxBytes = 32 * 1024 * 1024

/** Reads the payload of the envelope. Throws `revocation_list_malformed`. Nothing is verified. */
export function parseRevocationList(payload: Uint8Array): RevocationList {
  const { value } = parseJsonAs('revocation_list_malformed', 'the revocation list', payload, { maxBytes })
  const field = members(documentPlace(value, 'revocation_list_malformed'), [
    'kind',
    'apiVersion',
    'name',
    'version',
    'issued',
    'expires',
    'entries',
  ])
  oneOf(field('kind'), ['RevocationList'])
  oneOf(field('apiVersion'), ['countersign.dev/v1'])
  const version = count(field('version'))
  if (version === 0) refuse(field('version'), 'expected at least 1')
  const [issuedMs, expiresMs] = [readMoment(field('issued')), readMoment(field('expires'))]
  if (expiresMs <= issuedMs) refuse(field('expires'), 'the list expires before it was issued')
  return { name: readName(field('name')), version, issuedMs, expiresMs, entries: items(field('entries'), maxEntries).map(readEntry) }
}

function readEntry(at: Place): RevocationEntry {
  const field = members(at, ['target', 'effective', 'severity', 'reason'])
  const effectiveMs = optional(field('effective'), readMoment)
  return {
    target: readTarget(field('target')),
    ...(effectiveMs === undefined ? {} : { effectiveMs }),
    severity: isAbsent(field('severity')) ? 'deny' : oneOf(field('severity'), ['deny', 'warn']),
    reason: bounded(field('reason')),
  }
}

function readTarget(at: Place): RevocationTarget {
  const field = members(at, ['key', 'certificate', 'logEntry', 'artifact', 'signature'])
  const kind = oneMember(at, field, ['key', 'certificate', 'logEntry', 'artifact', 'signature'])
  const place = field(kind)
  if (kind === 'key') return { kind, fingerprint: readDigest(place) }
  if (kind === 'artifact') return { kind, digest: readDigest(place) }
  if (kind === 'certificate') {
    const name = members(place, ['issuer', 'subject'])
    return { kind, issuer: readGlobOrExact(name('issuer')), subject: readGlobOrExact(name('subject')) }
  }
  if (kind === 'logEntry') {
    const entry = members(place, ['log', 'index'])
    return { kind, log: nonEmptyText(entry('log')), index: count(entry('index')) }
  }
  const signature = members(place, ['content', 'signer'])
  return { kind, content: readDigest(signature('content')), signer: readDigest(signature('signer')) }
}

function readDigest(at: Place): Digest {
  return parseDigest(text(at)) ?? refuse(at, 'not a digest', { expected: 'sha256: and 64 lower-case hex digits' })
}

/** No pattern of RE2: a list is compiled on every run, and may have many entries. */
function readGlobOrExact(at: Place): NameMatch {
  const match = readNameMatch(at)
  return match.kind === 'pattern' ? refuse(at, 'expected a text or a glob') : match
}

/** The list as the JSON that is signed. */
export function revocationListJson(list: RevocationList): JsonObject {
  const time = (timeMs: number): string => new Date(timeMs).toISOString()
  return {
    apiVersion: 'countersign.dev/v1',
    kind: 'RevocationList',
    name: list.name,
    version: list.version,
    issued: time(list.issuedMs),
    expires: time(list.expiresMs),
    entries: list.entries.map(({ target, effectiveMs, severity, reason }) => ({
      target: targetJson(target),
      ...(effectiveMs === undefined ? {} : { effective: time(effectiveMs) }),
      severity,
      reason,
    })),
  }
}

function targetJson(target: RevocationTarget): JsonObject {
  const name = (match: NameMatch): string | JsonObject => (match.kind === 'exact' ? match.value : { [match.kind]: match.value })
  switch (target.kind) {
    case 'key':
      return { key: target.fingerprint }
    case 'certificate':
      return { certificate: { issuer: name(target.issuer), subject: name(target.subject) } }
    case 'logEntry':
      return { logEntry: { log: target.log, index: target.index } }
    case 'artifact':
      return { artifact: target.digest }
    case 'signature':
      return { signature: { content: target.content, signer: target.signer } }
    default:
      return unreachable(target)
  }
}

/** A text that is equal for equal targets. */
export function targetKey(target: RevocationTarget): string {
  return JSON.stringify(targetJson(target))
}

/** Matches a name that is exact or a glob. */
export function compileTargetName(match: NameMatch): (name: string) => boolean {
  return match.kind === 'exact' ? (name) => name === match.value : compileGlob(match.value)
}
