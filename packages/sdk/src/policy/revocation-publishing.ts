/** Making revocation lists: a document that several people sign, one after the other. */
import { utf8 } from '@countersign/core/bytes'
import { type DsseEnvelope, parseEnvelope, preAuthEncoding, serializeEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import { candidateAlgorithms } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'
import {
  parseRevocationList,
  revocationListJson,
  revocationPayloadType,
  type RevocationList,
} from '@countersign/core/policy/revocation-list'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import type { Signer } from '../sign/signer.ts'

/** A list and its signatures, as stored; nothing is verified. */
export type StoredRevocations = { readonly list: RevocationList; readonly envelope: DsseEnvelope }

/** Reads a stored list. Throws `revocation_list_malformed`, `dsse_malformed`. */
export function readRevocations(bytes: Uint8Array): StoredRevocations {
  const envelope = parseEnvelope(bytes)
  if (envelope.payloadType !== revocationPayloadType) {
    throw new CountersignError('revocation_list_malformed', 'the envelope holds something other than a revocation list', {
      expected: revocationPayloadType,
      found: envelope.payloadType.slice(0, 80),
    })
  }
  return { envelope, list: parseRevocationList(envelope.payload) }
}

/** A version that nobody has signed yet. Throws `usage` for one that no verifier could read: a name or reason that is none, too many entries. */
export function unsignedRevocations(list: RevocationList): StoredRevocations {
  const payload = utf8(JSON.stringify(revocationListJson(list)))
  try {
    return { list: parseRevocationList(payload), envelope: { payloadType: revocationPayloadType, payload, signatures: [] } }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    const parts = {
      ...(cause.expected === undefined ? {} : { expected: cause.expected }),
      ...(cause.found === undefined ? {} : { found: cause.found }),
    }
    throw new CountersignError('usage', `the list could not be read: ${cause.message}`, { ...parts, cause })
  }
}

/** Whether a key has signed it. */
export async function isSignedBy({ envelope }: StoredRevocations, key: PublicKey): Promise<boolean> {
  const message = preAuthEncoding(envelope.payloadType, envelope.payload)
  for (const { sig } of envelope.signatures) {
    for (const algorithm of candidateAlgorithms(key, 'dsse')) {
      if (await nodePrimitives.verify(algorithm, key, message, sig)) return true
    }
  }
  return false
}

/** The same with a signature more; as it is when the key has signed it before. */
export async function signRevocations(stored: StoredRevocations, signer: Signer): Promise<StoredRevocations> {
  if (await isSignedBy(stored, signer.publicKey)) return stored
  const { envelope, list } = stored
  const sig = await signer.signMessage(preAuthEncoding(envelope.payloadType, envelope.payload))
  return { list, envelope: { ...envelope, signatures: [...envelope.signatures, { sig }] } }
}

/** The bytes to publish. */
export function writeRevocations({ envelope }: StoredRevocations): Uint8Array {
  return serializeEnvelope(envelope)
}
