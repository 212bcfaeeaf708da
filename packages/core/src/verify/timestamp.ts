/** RFC 3161 timestamps of a signature: which are by trusted authorities, and that each of those holds. */
import { isNamedSigner } from '../cms/verify.ts'
import { CountersignError } from '../failure.ts'
import type { Primitives } from '../primitives.ts'
import { parseTimestampResponse, verifyTimestamp, type TimestampResponse, type TimestampResult } from '../rfc3161/timestamp.ts'
import type { TrustedRoot } from '../trust/model.ts'
import { parseCertificate } from '../x509/certificate.ts'
import type { Recall } from './certificate-cache.ts'
import type { TrustedTime } from './evidence.ts'
import { readingPart, type Ledger } from './ledger.ts'
import { demandPast, timeText } from './time.ts'

/** What the timestamps proved. */
export type ProvenTimestamps = {
  readonly times: readonly TrustedTime[]
  /** How many came from authorities that are not trusted. */ readonly foreign: number
}

type Surroundings = {
  readonly trustedRoot: TrustedRoot | undefined
  readonly nowMs: number
  readonly primitives: Primitives
  /** For the authority's own certificates. */
  readonly recall: Recall | undefined
  readonly ledger: Ledger
}

/**
 * Proves every timestamp that names an authority of the trusted root; one that does not hold refuses, also beside others that do. Foreign ones
 * are not counted. What must be stamped is one of `stamped`: the raw bytes of the signature, first. Without a trusted root none is looked at unless demanded.
 *
 * When demanded and none is left, refuses with `trust_missing`, `timestamp_missing` or `timestamp_untrusted`; a bad one with
 * `timestamp_invalid` or `timestamp_untrusted`.
 */
export async function proveTimestamps(
  timestamps: readonly Uint8Array[],
  stamped: readonly Uint8Array[],
  demanded: boolean,
  surroundings: Surroundings,
): Promise<ProvenTimestamps> {
  const { trustedRoot } = surroundings
  const times: TrustedTime[] = []
  let foreign = 0
  for (const der of trustedRoot === undefined ? [] : timestamps) {
    const time = await proveTimestamp(der, stamped, trustedRoot as TrustedRoot, surroundings)
    if (time === undefined) foreign++
    else times.push(time)
  }
  if (times.length === 0 && demanded) throw nothingProven(timestamps, trustedRoot)
  return { times, foreign }
}

async function proveTimestamp(
  der: Uint8Array,
  stamped: readonly Uint8Array[],
  trustedRoot: TrustedRoot,
  { nowMs, primitives, recall, ledger }: Surroundings,
): Promise<TrustedTime | undefined> {
  const authorities = trustedRoot.timestampAuthorities
  const response = readingPart('timestamp_invalid', 'a timestamp', () => parseTimestampResponse(der))
  const results: TimestampResult[] = []
  for (const message of stamped)
    results.push(await verifyTimestamp({ response, message, authorities, primitives, ...(recall === undefined ? {} : { recall }) }))
  const result = results.find(({ ok }) => ok) ?? results[0]
  if (result === undefined) throw new CountersignError('internal', 'nothing that a timestamp could be of')
  if (!result.ok) {
    if (result.code === 'timestamp_untrusted' && !namesAuthority(response, trustedRoot)) return undefined
    const { code, detail, expected, found } = result
    throw new CountersignError(code, detail, { ...(expected === undefined ? {} : { expected }), ...(found === undefined ? {} : { found }) })
  }
  const { timeMs, authority } = result
  demandPast(timeMs, nowMs, 'timestamp_invalid', 'the timestamp')
  ledger.held('timestamp', `${authority} stamped the signature at ${timeText(timeMs)}`)
  return { source: 'timestamp', timeMs, authority }
}

/** Whether the token says that it is by an authority that we know; then it must hold, and is not passed over as foreign. */
function namesAuthority(response: TimestampResponse, { timestampAuthorities }: TrustedRoot): boolean {
  const { identifier } = response.token.signedData.signer
  return timestampAuthorities.some(({ certificates: [first] }) => first !== undefined && isNamedSigner(identifier, parseCertificate(first)))
}

function nothingProven(timestamps: readonly Uint8Array[], trustedRoot: TrustedRoot | undefined): CountersignError {
  if (trustedRoot === undefined || trustedRoot.timestampAuthorities.length === 0) {
    const what = trustedRoot === undefined ? 'no trusted root was given' : 'the trusted root names no timestamp authority'
    return new CountersignError('trust_missing', `a timestamp is demanded, but ${what}`, {
      hint: 'Give a trusted root that names the timestamp authority.',
    })
  }
  const expected = trustedRoot.timestampAuthorities.map(({ uri, commonName }) => uri || commonName).join(', ')
  if (timestamps.length === 0) return new CountersignError('timestamp_missing', 'the signature has no timestamp', { expected })
  return new CountersignError('timestamp_untrusted', 'the signature has only timestamps of authorities that are not trusted', { expected })
}
