/** The log entries of a signature: which logs are known, that each known one's entry holds, and what follows from it. */
import { bytesToHex, equalBytes } from '../bytes.ts'
import { knownBody } from '../bundle/log-entry.ts'
import type { TransparencyLogEntry } from '../bundle/model.ts'
import { CountersignError } from '../failure.ts'
import { parseJsonAs } from '../json/parse.ts'
import { documentPlace, members, refuse, text } from '../json/shape.ts'
import type { Primitives } from '../primitives.ts'
import type { LogInstance, TrustedRoot } from '../trust/model.ts'
import type { Recall } from './certificate-cache.ts'
import type { LogEvidence, TrustedTime } from './evidence.ts'
import { isProvable, proveInclusion } from './inclusion.ts'
import type { Ledger } from './ledger.ts'
import { isVersion2 } from './log-kind.ts'
import { demandBodyV1, entryTimestampHolds } from './log-v1.ts'
import { demandBodyV2 } from './log-v2.ts'
import { mismatch, type LoggedSignature } from './logged-signature.ts'
import { demandPast, inRange, rangeText, timeText } from './time.ts'

/** What the entries proved. */
export type ProvenLog = {
  readonly evidence: readonly LogEvidence[]
  readonly times: readonly TrustedTime[]
  /** Of each proven entry, the instances of its log in the trusted root. */
  readonly logs: readonly (readonly LogInstance[])[]
}

type Surroundings = {
  readonly trustedRoot: TrustedRoot | undefined
  readonly nowMs: number
  readonly primitives: Primitives
  /** For tree heads, which many entries share. */
  readonly recall: Recall | undefined
  readonly ledger: Ledger
}

/**
 * Proves every entry of a known log; one that does not hold refuses, also beside others that do. Entries of unknown logs are not counted
 * and not listed. Without a trusted root nothing is known and, unless demanded, nothing is looked at.
 *
 * When demanded and nothing is left, refuses with `trust_missing` (no log is trusted at all), `log_entry_missing` (no entry) or
 * `log_untrusted` (entries of unknown logs only). A bad entry refuses with the code of what is wrong with it.
 */
export async function proveLogEntries(
  entries: readonly TransparencyLogEntry[],
  demanded: boolean,
  logged: LoggedSignature,
  surroundings: Surroundings,
): Promise<ProvenLog> {
  const { trustedRoot } = surroundings
  const evidence: LogEvidence[] = []
  const times: TrustedTime[] = []
  const logs: (readonly LogInstance[])[] = []
  for (const entry of entries) {
    const instances = (trustedRoot?.logs ?? []).filter(({ logId }) => equalBytes(logId, entry.logId))
    const log = instanceAt(entry, instances)
    if (log === undefined) continue
    const proven = await proveEntry(entry, log, logged, surroundings)
    evidence.push(proven)
    logs.push(instances.filter(({ publicKey }) => equalBytes(publicKey.spki, log.publicKey.spki)))
    if (proven.integratedTimeMs !== undefined) times.push({ source: 'log', timeMs: proven.integratedTimeMs, authority: log.baseUrl })
  }
  if (evidence.length === 0 && demanded) throw nothingProven(entries, trustedRoot)
  return { evidence, times, logs }
}

/** A trusted root may list one log several times, each for a time of its own; the claimed time only picks which one has to hold. */
function instanceAt(entry: TransparencyLogEntry, instances: readonly LogInstance[]): LogInstance | undefined {
  const claimedMs = (entry.integratedTime ?? 0) * 1000
  return instances.find(({ validFor }) => inRange(claimedMs, validFor)) ?? instances[0]
}

async function proveEntry(
  entry: TransparencyLogEntry,
  log: LogInstance,
  logged: LoggedSignature,
  { nowMs, primitives, recall, ledger }: Surroundings,
): Promise<LogEvidence> {
  await demandBody(entry, logged, primitives)
  const proof: ('inclusion_proof' | 'signed_entry_timestamp')[] = []
  let integratedTimeMs: number | undefined
  // A v2 log makes no promises; what stands in that field of a v2 entry is not looked at and proves nothing.
  if (entry.signedEntryTimestamp !== undefined && !isVersion2(entry)) {
    integratedTimeMs = await proveEntryTimestamp(entry, log, nowMs, primitives)
    ledger.held('signed_entry_timestamp', `${log.baseUrl} promised entry ${entry.logIndex} at ${timeText(integratedTimeMs)}`)
    proof.push('signed_entry_timestamp')
  }
  // A v1 proof shows the index inside the shard; the one over all shards is proven by the promise alone.
  let logIndex = integratedTimeMs === undefined ? undefined : entry.logIndex
  if (isProvable(entry)) {
    await proveInclusion(entry, log, recall?.primitives ?? primitives, ledger)
    proof.push('inclusion_proof')
    logIndex ??= entry.inclusionProof.logIndex
  }
  if (logIndex === undefined) {
    throw new CountersignError('inclusion_proof_invalid', 'the log entry comes with no proof that it is in the log', {
      expected: isVersion2(entry)
        ? 'an inclusion proof with a checkpoint'
        : 'an inclusion proof with a checkpoint, or a signed entry timestamp',
    })
  }
  const { baseUrl } = log
  ledger.held('log_entry', `entry ${logIndex} of log ${baseUrl} records this signature, its signer and what it signs`)
  return { baseUrl, logIndex, proof, ...(integratedTimeMs === undefined ? {} : { integratedTimeMs }) }
}

/** The integrated time is a proof of time only here: under a verified promise, by a key in use at that time, and not to come. */
async function proveEntryTimestamp(entry: TransparencyLogEntry, log: LogInstance, nowMs: number, primitives: Primitives): Promise<number> {
  if (!(await entryTimestampHolds(entry, log, primitives))) {
    throw new CountersignError('signed_entry_timestamp_invalid', `the signed entry timestamp is not by log ${log.baseUrl} for this entry`)
  }
  const timeMs = (entry.integratedTime ?? 0) * 1000
  if (!Number.isSafeInteger(timeMs)) throw new CountersignError('signed_entry_timestamp_invalid', 'the integrated time is no time')
  demandPast(timeMs, nowMs, 'signed_entry_timestamp_invalid', 'the integrated time of the log entry')
  if (!inRange(timeMs, log.validFor)) {
    throw new CountersignError('log_untrusted', `log ${log.baseUrl} was not trusted at the time of the entry`, {
      expected: rangeText(log.validFor),
      found: timeText(timeMs),
    })
  }
  return timeMs
}

async function demandBody(entry: TransparencyLogEntry, logged: LoggedSignature, primitives: Primitives): Promise<void> {
  const { kind, version, canonicalizedBody } = entry
  const value =
    knownBody(entry) ?? parseJsonAs(mismatch, 'the body of the log entry', canonicalizedBody, { maxBytes: 16 * 1024 * 1024 }).value
  const body = members(documentPlace(value, mismatch), ['apiVersion', 'kind', 'spec'])
  if (text(body('kind')) !== kind || text(body('apiVersion')) !== version) {
    refuse(body('kind'), 'the body is of another type than the entry says', { expected: `${kind} ${version}` })
  }
  if (isVersion2(entry)) await demandBodyV2(kind, version, body('spec'), canonicalizedBody, logged, primitives)
  else await demandBodyV1(kind, version, body('spec'), logged, primitives)
}

function nothingProven(entries: readonly TransparencyLogEntry[], trustedRoot: TrustedRoot | undefined): CountersignError {
  if (trustedRoot === undefined || trustedRoot.logs.length === 0) {
    const what = trustedRoot === undefined ? 'no trusted root was given' : 'the trusted root names no log'
    return new CountersignError('trust_missing', `a log entry is demanded, but ${what}`, {
      hint: 'Give a trusted root that names the log.',
    })
  }
  const expected = trustedRoot.logs.map(({ baseUrl }) => baseUrl).join(', ')
  if (entries.length === 0) return new CountersignError('log_entry_missing', 'the signature is in no transparency log', { expected })
  return new CountersignError('log_untrusted', 'the signature is only in logs that are not trusted', {
    expected,
    found: entries.map(({ logId }) => bytesToHex(logId).slice(0, 128)).join(', '),
  })
}
