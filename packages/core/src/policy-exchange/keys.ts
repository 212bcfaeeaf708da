/** Keys as other tools name them: written in place, in a secret of a cluster, in a KMS, in a file. */
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { decodePem, encodePem } from '../pem.ts'
import { encodePublicKeyPem, parsePublicKeyPem } from '../keys/public-key.ts'
import { parseCertificate } from '../x509/certificate.ts'
import type { LossLog } from './losses.ts'
import { nameFrom } from './names.ts'

const maxKeys = 16

/** The public keys in a text of PEM blocks, each as PEM. Throws `policy_malformed` with the place. */
export function pemKeys(text: string, path: string): readonly string[] {
  try {
    const blocks = decodePem(text)
    if (blocks.length === 0 || blocks.length > maxKeys) throw new CountersignError('policy_malformed', `${blocks.length} blocks of PEM`)
    return blocks.map(({ label, bytes }) => encodePublicKeyPem(parsePublicKeyPem(encodePem(label, bytes))))
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('policy_malformed', `${path}: ${cause.message}`, { cause })
  }
}

/** The key that a certificate in PEM certifies, as PEM. Throws `policy_malformed` with the place. */
export function certifiedKey(text: string, path: string): string {
  try {
    const [first] = decodePem(text, 'CERTIFICATE')
    if (first === undefined) throw new CountersignError('policy_malformed', 'no certificate')
    return encodePem('PUBLIC KEY', parseCertificate(first.bytes).spki)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('policy_malformed', `${path}: ${cause.message}`, { cause })
  }
}

/** A key that is not in the document: the policy asks for it by a name, under which whoever verifies gives it. */
export function namedKey(reference: string, path: string, log: LossLog): JsonObject {
  const name = keyName(reference)
  log.note(path, `the key is not in the document; verify with --key ${name}, a file with the public key of ${reference}`)
  return { keys: [{ name }] }
}

/** The name under which a key is asked for. */
export function keyName(reference: string): string {
  const last = reference.split('/').at(-1) ?? reference
  const whole = /^[\w.-]+\.(?:pub|pem|key)$/.test(last) ? last : nameFrom(reference.replace(/^[a-z0-9]+:\/+/, ''))
  return whole.endsWith('.pub') || whole.endsWith('.pem') ? whole : `${whole}.pub`
}

/** Identities of one key each. */
export function keyIdentity(pem: string): JsonObject {
  return { keys: [pem] satisfies JsonValue }
}

/** Whoever these authorities certified for signing: an issuer has some name, whatever it is. */
export function anybodyUnder(roots: readonly JsonObject[]): JsonObject {
  return { x509: { roots: [...roots], issuer: { pattern: '(?s:.*)' } } }
}
