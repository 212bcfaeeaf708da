/** Trusted public keys: which of them may have signed, what it means when none did, and their validity windows. */
import { base64ToBytes } from '../base64.ts'
import { equalBytes } from '../bytes.ts'
import type { VerificationMaterial } from '../bundle/model.ts'
import { digestFromBytes, type Digest } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { keyFingerprint, keyHint, type PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import type { SignerEvidence, TrustedTime } from './evidence.ts'
import type { Ledger } from './ledger.ts'
import type { TrustedKey } from './policy.ts'
import { inRange, rangeText, timeText } from './time.ts'

/**
 * The trusted keys that may have made the signature. A key is never taken from the thing verified (GHSA-fx35-mq7g-6g98): of an entity signed
 * with a certificate only the trusted keys equal to the certificate's are left, maybe none. Refuses with `trust_missing` without any.
 */
export function candidateKeys(trusted: readonly TrustedKey[], certified: PublicKey | undefined): readonly TrustedKey[] {
  if (trusted.length === 0)
    throw new CountersignError('trust_missing', 'no trusted key was given', { hint: 'Give the public key of the signer.' })
  return certified === undefined ? trusted : trusted.filter(({ key }) => equalBytes(key.spki, certified.spki))
}

/** The refusal of a signature made with a certificate for a key that nobody trusts. */
export async function certifiedKeyUntrusted(
  trusted: readonly TrustedKey[],
  certified: PublicKey,
  primitives: Primitives,
): Promise<CountersignError> {
  return new CountersignError('signer_untrusted', 'the signature was made with a certificate for a key that is not trusted', {
    expected: await fingerprints(trusted, primitives),
    found: await keyFingerprint(certified, primitives),
  })
}

/**
 * The refusal when no trusted key made the signature. The hint is not trusted, it only chooses the words: if it names a trusted key, or the
 * certificate does, then that key's signature or content was changed (`bundle_altered`), else somebody else signed (`signer_untrusted`).
 */
export async function noKeySigned(
  material: VerificationMaterial,
  candidates: readonly TrustedKey[],
  primitives: Primitives,
): Promise<CountersignError> {
  const expected = await fingerprints(candidates, primitives)
  const hint = material.kind === 'public-key' ? material.hint : undefined
  const named = await Promise.all(candidates.map(({ key }) => isHintOf(hint, key, primitives)))
  if (material.kind === 'certificate' || named.includes(true)) {
    return new CountersignError('bundle_altered', 'the signature names a trusted key, but does not verify with it', { expected })
  }
  if (hint === undefined || hint === '') {
    return new CountersignError('signer_untrusted', 'no trusted key made this signature, unless what it signs has been changed since', {
      expected,
    })
  }
  return new CountersignError('signer_untrusted', 'the signature was made with another key', {
    expected,
    found: fingerprintOfHint(hint) ?? `hint ${JSON.stringify(hint.slice(0, 100))}`,
    hint: 'If you trust that key, give it.',
  })
}

/**
 * Proves that the key was trusted when it signed: every trusted time lies in the key's window, both ends inside. A window without a trusted
 * time refuses with `trusted_time_missing`, a time outside with `key_outside_validity`. Of equal keys, one with a fitting window is enough.
 */
export async function proveKey(
  signedBy: PublicKey,
  candidates: readonly TrustedKey[],
  times: readonly TrustedTime[],
  certificateIgnored: boolean,
  primitives: Primitives,
  ledger: Ledger,
): Promise<SignerEvidence> {
  const equal = candidates.filter(({ key }) => equalBytes(key.spki, signedBy.spki))
  const refusals = equal.map((trusted) => windowRefusal(trusted, times))
  const index = refusals.indexOf(undefined)
  const chosen = equal[index]
  if (chosen === undefined) throw refusals[0] ?? new CountersignError('internal', 'a key signed that is not a candidate')
  const fingerprint = await keyFingerprint(signedBy, primitives)
  const note = certificateIgnored ? '; the certificate that came with the signature was not checked' : ''
  ledger.held('public_key', `trusted key ${chosen.label} (${fingerprint})${note}`)
  if (chosen.validFor !== undefined) ledger.held('key_validity', `signed while the key was valid, ${rangeText(chosen.validFor)}`)
  return { kind: 'key', label: chosen.label, fingerprint }
}

function windowRefusal(trusted: TrustedKey, times: readonly TrustedTime[]): CountersignError | undefined {
  const { validFor, label } = trusted
  if (validFor === undefined) return undefined
  if (times.length === 0) {
    return new CountersignError('trusted_time_missing', `key ${label} is trusted for a time only, and nothing proves when it signed`, {
      expected: `a timestamp or log entry within ${rangeText(validFor)}`,
    })
  }
  const outside = times.find(({ timeMs }) => !inRange(timeMs, validFor))
  if (outside === undefined) return undefined
  return new CountersignError('key_outside_validity', `key ${label} was not trusted at the time of the signature`, {
    expected: rangeText(validFor),
    found: timeText(outside.timeMs),
  })
}

async function fingerprints(trusted: readonly TrustedKey[], primitives: Primitives): Promise<string> {
  const shown = await Promise.all(trusted.slice(0, 8).map(async ({ key }) => keyFingerprint(key, primitives)))
  return shown.join(', ') + (trusted.length > 8 ? ` and ${trusted.length - 8} more` : '')
}

/** cosign's hint is the base64 of SHA-256 of the SubjectPublicKeyInfo; other tools write it in hex. */
async function isHintOf(hint: string | undefined, key: PublicKey, primitives: Primitives): Promise<boolean> {
  if (hint === undefined) return false
  return hint === (await keyHint(key, primitives)) || `sha256:${hint.toLowerCase()}` === (await keyFingerprint(key, primitives))
}

function fingerprintOfHint(hint: string): Digest | undefined {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(hint)) return undefined
  try {
    return digestFromBytes('sha256', base64ToBytes(hint))
  } catch (cause) {
    // Not canonical base64: the hint is shown as it is.
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}
