/** Which revocation list is in force: signed by enough of those whom the policy names, not older than what was seen, not expired. */
import { parseEnvelope, preAuthEncoding, type DsseEnvelope } from '../dsse/envelope.ts'
import { CountersignError, type FailureCode } from '../failure.ts'
import { candidateAlgorithms } from '../keys/algorithm.ts'
import { bytesToBase64 } from '../base64.ts'
import type { Primitives } from '../primitives.ts'
import { clockSkewMs, timeText } from '../verify/time.ts'
import type { CompiledRevocationSource } from './compile.ts'
import { parseRevocationList, revocationPayloadType, targetKey, type RevocationEntry, type RevocationList } from './revocation-list.ts'

/** What a run knows of one source: a list that may be relied on, or why there is none. */
export type RevocationState =
  | { readonly ok: true; readonly list: RevocationList; readonly signedBy: readonly string[] }
  | {
      readonly ok: false
      readonly code: FailureCode
      readonly detail: string
      /** A list that is authentic and still is not enough (expired, too old): what it revokes stays revoked. */
      readonly list?: RevocationList
    }

/** The list accepted before, by a run that keeps state: it is compared with, never trusted more than the signatures on the new one. */
export type SeenRevocations = Pick<RevocationList, 'version' | 'entries'>

/** Takes a list into force, or says why not, as a value: all codes mean "could not tell". */
export async function acceptRevocations(
  envelope: Uint8Array | undefined,
  source: CompiledRevocationSource,
  nowMs: number,
  primitives: Primitives,
  seen?: SeenRevocations,
): Promise<RevocationState> {
  if (envelope === undefined)
    return { ok: false, code: 'revocation_list_missing', detail: `no list of revocations ${source.name} was given` }
  try {
    const parsed = parseEnvelope(envelope)
    const signedBy = await demandSigners(parsed, source, primitives)
    const list = parseRevocationList(parsed.payload)
    const problem =
      nameProblem(list, source) ?? ageProblem(list, source, nowMs) ?? (seen === undefined ? undefined : rollbackOf(seen, list))
    return problem === undefined ? { ok: true, list, signedBy } : { ok: false, ...problem, ...(problem.foreign === true ? {} : { list }) }
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === 'internal') throw cause
    const code = cause.code.startsWith('revocation_list_') ? cause.code : 'revocation_list_malformed'
    return { ok: false, code, detail: `revocations ${source.name}: ${cause.message}` }
  }
}

/** The distinct keys that signed, at least the threshold. `keyid` is not authenticated and not looked at. */
async function demandSigners(envelope: DsseEnvelope, source: CompiledRevocationSource, primitives: Primitives): Promise<readonly string[]> {
  if (envelope.payloadType !== revocationPayloadType) {
    throw new CountersignError('revocation_list_malformed', `the envelope holds ${JSON.stringify(envelope.payloadType.slice(0, 80))}`)
  }
  const message = preAuthEncoding(envelope.payloadType, envelope.payload)
  const signedBy: string[] = []
  for (const { key, label } of source.keys) {
    if (await signedWith(key, envelope, message, primitives)) signedBy.push(label)
  }
  if (signedBy.length >= source.threshold) return signedBy
  throw new CountersignError('revocation_list_unsigned', `${signedBy.length} of the keys that the policy names have signed the list`)
}

async function signedWith(
  key: CompiledRevocationSource['keys'][number]['key'],
  envelope: DsseEnvelope,
  message: Uint8Array,
  primitives: Primitives,
): Promise<boolean> {
  const tried = new Set<string>()
  for (const { sig } of envelope.signatures) {
    const once = bytesToBase64(sig)
    if (tried.has(once)) continue
    tried.add(once)
    for (const algorithm of candidateAlgorithms(key, 'dsse')) {
      if (await primitives.verify(algorithm, key, message, sig)) return true
    }
  }
  return false
}

type Problem = { readonly code: FailureCode; readonly detail: string; readonly foreign?: true }

function nameProblem(list: RevocationList, source: CompiledRevocationSource): Problem | undefined {
  if (list.name === source.name) return undefined
  return { code: 'revocation_list_malformed', detail: `revocations ${source.name}: the list is called ${list.name}`, foreign: true }
}

/** Expired, too old for what the policy pins, or from the future: judged again at every verdict, since a state may be kept for long. */
export function ageProblem(
  list: RevocationList,
  source: Pick<CompiledRevocationSource, 'name' | 'minVersion'>,
  nowMs: number,
): Problem | undefined {
  if (list.version < source.minVersion) {
    const detail = `revocations ${source.name}: version ${list.version}, and the policy demands at least ${source.minVersion}`
    return { code: 'revocation_list_rolled_back', detail }
  }
  if (list.expiresMs <= nowMs) {
    return {
      code: 'revocation_list_expired',
      detail: `revocations ${source.name}: version ${list.version} expired ${timeText(list.expiresMs)}`,
    }
  }
  if (list.issuedMs > nowMs + clockSkewMs) {
    return { code: 'revocation_list_malformed', detail: `revocations ${source.name}: issued in the future, ${timeText(list.issuedMs)}` }
  }
  return undefined
}

/**
 * Why `next` must not follow `seen`: an older version, another list of the same version, an entry that is gone, later, or milder.
 * Also for who publishes lists, before signing.
 */
export function rollbackOf(seen: SeenRevocations, next: RevocationList): Problem | undefined {
  const fail = (detail: string): Problem => ({ code: 'revocation_list_rolled_back', detail: `revocations ${next.name}: ${detail}` })
  if (next.version < seen.version) return fail(`version ${next.version} after version ${seen.version} was seen`)
  const lacking = notCovered(seen.entries, next.entries)
  if (lacking !== undefined) {
    return fail(`version ${next.version} lacks or softens what version ${seen.version} revokes: ${targetKey(lacking.target)}`)
  }
  if (next.version === seen.version && notCovered(next.entries, seen.entries) !== undefined)
    return fail(`two lists of version ${next.version}`)
  return undefined
}

/** The first entry that the others do not revoke at least as early and as gravely. */
function notCovered(entries: readonly RevocationEntry[], by: readonly RevocationEntry[]): RevocationEntry | undefined {
  const known = new Map<string, RevocationEntry[]>()
  for (const entry of by) {
    const key = targetKey(entry.target)
    const same = known.get(key)
    if (same === undefined) known.set(key, [entry])
    else same.push(entry)
  }
  return entries.find((old) => !(known.get(targetKey(old.target)) ?? []).some((entry) => covers(entry, old)))
}

/** Whether one entry revokes at least from when another of the same target does, and as gravely. */
export function covers(entry: RevocationEntry, old: RevocationEntry): boolean {
  const earlier = (entry.effectiveMs ?? Number.NEGATIVE_INFINITY) <= (old.effectiveMs ?? Number.NEGATIVE_INFINITY)
  return earlier && (entry.severity === 'deny' || old.severity === 'warn')
}
