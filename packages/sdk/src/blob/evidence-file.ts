/** Reads what came beside a file: a Sigstore bundle, cosign's legacy bundle, a DSSE envelope, or a detached signature. Content decides. */
import { base64ToBytes } from '@countersign/core/base64'
import { fromUtf8 } from '@countersign/core/bytes'
import { isLegacyBundle, parseLegacyBundle } from '@countersign/core/bundle/legacy'
import type { SignedEntity, VerificationMaterial } from '@countersign/core/bundle/model'
import { parseBundle } from '@countersign/core/bundle/parse'
import { parseEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, maxDocumentBytes } from '@countersign/core/json/parse'

const maxSignatureBytes = 64 * 1024
const maxBytes = maxDocumentBytes

/** What a detached signature lacks: the certificate that a keyless signer published beside it, leaf first, DER. */
export type DetachedParts = { readonly certificates?: readonly Uint8Array[]; readonly timestamps?: readonly Uint8Array[] }

/** The signed entity in a file. Throws the parsers' codes; nothing is verified. */
export function readBlobEntity(bytes: Uint8Array, parts: DetachedParts = {}): SignedEntity {
  if (firstCharacter(bytes) !== '{' || isRawSignature(bytes)) return detachedEntity(bytes, parts)
  if (isLegacyBundle(bytes)) return withParts(parseLegacyBundle(bytes), parts)
  if (isEnvelope(bytes))
    return withParts(
      { material: materialOf(parts), logEntries: [], timestamps: [], content: { kind: 'dsse', envelope: parseEnvelope(bytes) } },
      parts,
    )
  return parseBundle(bytes)
}

/** One raw signature in 256 begins with a brace: of those lengths (Ed25519, RSA), what is no UTF-8 is no document. */
function isRawSignature(bytes: Uint8Array): boolean {
  if (bytes.length !== 64 && (bytes.length < 256 || bytes.length > 512)) return false
  try {
    fromUtf8(bytes)
    return false
  } catch (failure) {
    if (failure instanceof CountersignError) return true
    throw failure
  }
}

function isEnvelope(bytes: Uint8Array): boolean {
  const value = parseJson(bytes, { maxBytes })
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'payloadType' in value && !('mediaType' in value)
}

function detachedEntity(bytes: Uint8Array, parts: DetachedParts): SignedEntity {
  if (bytes.length > maxSignatureBytes) {
    throw new CountersignError('bundle_malformed', `${bytes.length} bytes are neither a bundle nor a signature`, {
      hint: 'Name the bundle or signature file, not the artifact.',
    })
  }
  const [, label] = /^\s{0,16}-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(new TextDecoder('latin1').decode(bytes.subarray(0, 80))) ?? []
  if (label !== undefined) {
    throw new CountersignError('bundle_malformed', `a PEM block of type ${label} is neither a bundle nor a signature`, {
      hint: `Name the bundle or signature file${label.endsWith('KEY') ? '; a public key is given with --key' : ''}.`,
    })
  }
  const content = { kind: 'message', signature: readDetachedSignature(bytes) } as const
  return { material: materialOf(parts), logEntries: [], timestamps: parts.timestamps ?? [], content }
}

/** Canonical base64, with blanks around it as editors and shells leave them, or else the raw bytes. */
function readDetachedSignature(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder('latin1').decode(bytes).trim()
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? base64ToBytes(text) : bytes
}

function materialOf({ certificates }: DetachedParts): VerificationMaterial {
  const [leaf, ...others] = certificates ?? []
  return leaf === undefined ? { kind: 'public-key' } : { kind: 'certificate', chain: [leaf, ...others] }
}

function withParts(entity: SignedEntity, parts: DetachedParts): SignedEntity {
  const material = entity.material.kind === 'certificate' ? entity.material : materialOf(parts)
  return { ...entity, material, timestamps: [...entity.timestamps, ...(parts.timestamps ?? [])] }
}

function firstCharacter(bytes: Uint8Array): string {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
  return first === undefined ? '' : String.fromCharCode(first)
}
