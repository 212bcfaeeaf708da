/** Whether a proven signature is revoked. */
import { unreachable } from '../failure.ts'
import type { OwnCertificateEvidence } from '../verify/evidence.ts'
import type { ProvenItem } from './proven.ts'
import { compileTargetName, type RevocationEntry, type RevocationList, type RevocationTarget } from './revocation-list.ts'
import { timeText } from '../verify/time.ts'

/** A revocation that holds for a signature. */
export type Revoked = { readonly severity: 'deny' | 'warn'; readonly detail: string }

type Index = {
  readonly exact: ReadonlyMap<string, readonly RevocationEntry[]>
  readonly certificates: readonly { readonly entry: RevocationEntry; readonly matches: (issuer: string, subject: string) => boolean }[]
}

/** A list is looked at for every signature of every verdict: it is indexed once. Garbage with the list. */
const indexes = new WeakMap<RevocationList, Index>()

/**
 * The gravest revocation that holds. A signature made before the effective moment, by its earliest trusted time, stays valid; one made later,
 * or without trusted time, does not: whoever stole a key can write any date into what proves none.
 */
export function findRevocation(item: ProvenItem, lists: readonly RevocationList[]): Revoked | undefined {
  let warning: Revoked | undefined
  for (const list of lists) {
    for (const entry of entriesFor(item, list)) {
      const { effectiveMs } = entry
      if (effectiveMs !== undefined && item.signedMs !== undefined && item.signedMs < effectiveMs) continue
      const since = effectiveMs === undefined ? 'for all time' : `from ${timeText(effectiveMs)}`
      const when =
        effectiveMs === undefined
          ? ''
          : item.signedMs === undefined
            ? '; nothing proves when it was made'
            : `; made ${timeText(item.signedMs)}`
      const revoked = { severity: entry.severity, detail: `revoked by ${list.name} ${since}: ${entry.reason}${when}` }
      if (entry.severity === 'deny') return revoked
      warning ??= revoked
    }
  }
  return warning
}

function* entriesFor({ evidence, content }: ProvenItem, list: RevocationList): Generator<RevocationEntry> {
  const { exact, certificates } = indexOf(list)
  const { signer, artifact, log } = evidence
  const keys = [`signature ${content} ${signer.fingerprint}`]
  // A certificate for a stolen key is no better than the key.
  keys.push(`key ${signer.kind === 'key' ? signer.fingerprint : signer.keyFingerprint}`)
  if (artifact !== undefined) keys.push(`artifact ${artifact}`)
  for (const { baseUrl, logIndex } of log) keys.push(`log ${logIndex} ${baseUrl}`)
  for (const key of keys) yield* exact.get(key) ?? []
  if (signer.kind !== 'certificate') return
  const subjects = signer.own === undefined ? [signer.subject] : namesOf(signer.own)
  for (const { entry, matches } of certificates) if (subjects.some((subject) => matches(signer.issuer, subject))) yield entry
}

/** By whichever of its names a certificate is revoked. */
function namesOf({ names, commonName, distinguishedName }: OwnCertificateEvidence): readonly string[] {
  return [...names.map(({ value }) => value), ...(commonName === undefined ? [] : [commonName]), distinguishedName]
}

function indexOf(list: RevocationList): Index {
  const known = indexes.get(list)
  if (known !== undefined) return known
  const exact = new Map<string, RevocationEntry[]>()
  const certificates: Index['certificates'][number][] = []
  for (const entry of list.entries) {
    const { target } = entry
    if (target.kind === 'certificate') {
      const [issuer, subject] = [compileTargetName(target.issuer), compileTargetName(target.subject)]
      certificates.push({ entry, matches: (foundIssuer, foundSubject) => issuer(foundIssuer) && subject(foundSubject) })
    } else {
      const key = exactKey(target)
      exact.set(key, [...(exact.get(key) ?? []), entry])
    }
  }
  const index = { exact, certificates }
  indexes.set(list, index)
  return index
}

function exactKey(target: Exclude<RevocationTarget, { kind: 'certificate' }>): string {
  switch (target.kind) {
    case 'key':
      return `key ${target.fingerprint}`
    case 'logEntry':
      return `log ${target.index} ${target.log}`
    case 'artifact':
      return `artifact ${target.digest}`
    case 'signature':
      return `signature ${target.content} ${target.signer}`
    default:
      return unreachable(target)
  }
}
