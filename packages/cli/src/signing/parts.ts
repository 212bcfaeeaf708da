/** The signature and what it signs, out of either layout. */
import { parseBundle } from '@countersign/core/bundle/parse'
import { CountersignError } from '@countersign/core/failure'
import type { WrittenSignature } from '@countersign/sdk/sign/requests'

/** A signature and the bytes that it is over. */
export type SignedParts = { readonly signature: Uint8Array; readonly payload: Uint8Array }

/** Takes a signature of ours apart. */
export function signedParts(written: Pick<WrittenSignature, 'layout' | 'bytes' | 'signature'>): SignedParts {
  if (written.signature !== undefined) return { signature: written.signature, payload: written.bytes }
  const { content } = parseBundle(written.bytes)
  const signature = content.kind === 'dsse' ? content.envelope.signatures[0] : undefined
  if (content.kind !== 'dsse' || signature === undefined) throw new CountersignError('internal', 'a bundle of ours holds no envelope')
  return { signature: signature.sig, payload: content.envelope.payload }
}
