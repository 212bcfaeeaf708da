/** Key identifiers of C2SP signed notes (c2sp.org/signed-note@v1, "Signature types") as Sigstore's logs use them. */
import { concatBytes, utf8 } from '../bytes.ts'
import type { PublicKey } from '../keys/public-key.ts'
import { unreachable } from '../failure.ts'
import type { Primitives } from '../primitives.ts'

/** Signature type bytes: Ed25519 is 0x01; RSA has none of its own and is named in full after 0xff. */
const ed25519Type = Uint8Array.of(0x01)
const otherType = Uint8Array.of(0xff)
const rsaTypeName = 'PKIX-RSA-PKCS#1v1.5'

/**
 * The whole 32-byte key identifier; its first 4 bytes are the hint in a signature line, all of it is the `logId` of a Rekor v2 log.
 *
 * Ed25519 and RSA bind the name of the log into it. ECDSA does not: Sigstore keeps the SHA-256 of the SubjectPublicKeyInfo there, as
 * RFC 6962 §3.2 does, for Rekor v1 and v2 alike.
 */
export async function noteKeyId(primitives: Pick<Primitives, 'hash'>, name: string, key: PublicKey): Promise<Uint8Array> {
  switch (key.type) {
    case 'ed25519':
      return primitives.hash('sha256', concatBytes(utf8(`${name}\n`), ed25519Type, key.raw))
    case 'rsa':
      return primitives.hash('sha256', concatBytes(utf8(`${name}\n`), otherType, utf8(rsaTypeName), key.spki))
    case 'ec-p256':
    case 'ec-p384':
    case 'ec-p521':
      return primitives.hash('sha256', key.spki)
    default:
      return unreachable(key.type)
  }
}
