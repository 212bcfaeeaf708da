/** A Sigstore bundle around a legacy attestation: the same envelope and signature, so that no key is needed. */
import { bytesToBase64 } from '@countersign/core/base64'
import type { Bundle, SignedEntity } from '@countersign/core/bundle/model'
import { parseBundle } from '@countersign/core/bundle/parse'
import { bundleMediaType, serializeBundle } from '@countersign/core/bundle/serialize'
import { equalBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseStatement } from '@countersign/core/statement/statement'

/** The bundle, or why there can be none. */
export type Wrapping =
  | {
      readonly kind: 'bundle'
      readonly bytes: Uint8Array
      readonly predicateType: string
      /** What the bundle cannot carry. */ readonly notes: readonly string[]
    }
  | { readonly kind: 'impossible'; readonly why: string }

/** Log entries without an inclusion proof, which is how cosign 2 kept them, are allowed in bundles of this version alone (client specification §5). */
const promiseMediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.1'

/** Wraps a signature or attestation of a legacy layout. Nothing is verified; what was signed stays byte for byte. */
export function bundleAround(entity: SignedEntity): Wrapping {
  const { content, logEntries, material, timestamps } = entity
  if (content.kind !== 'dsse') {
    // sigstore_bundle.proto: a message signature is over the artifact. This one is over a document that names it.
    return { kind: 'impossible', why: 'it is over cosign’s legacy payload, and a bundle holds signatures over statements' }
  }
  if (content.envelope.signatures.length !== 1) {
    return { kind: 'impossible', why: `its envelope has ${content.envelope.signatures.length} signatures, and a bundle takes one` }
  }
  const notes: string[] = []
  if (timestamps.length > 0) {
    // cosign has the whole legacy envelope stamped; in a bundle a timestamp is over the signature.
    if (material.kind === 'certificate' && logEntries.length === 0) {
      return { kind: 'impossible', why: 'its only trusted time is a timestamp over the legacy envelope, which a bundle cannot hold' }
    }
    notes.push('its timestamp is over the legacy envelope and stays there alone')
  }
  if (material.kind === 'certificate' && material.chain.length > 1)
    notes.push('the certificates above its signer’s must come from the trusted root')
  const promised = logEntries.some(({ inclusionProof }) => inclusionProof?.checkpoint === undefined)
  const bundle: Bundle = {
    version: promised ? '0.1' : '0.3',
    mediaType: promised ? promiseMediaType : bundleMediaType,
    material: material.kind === 'certificate' ? { kind: 'certificate', chain: [material.chain[0]] } : material,
    logEntries,
    timestamps: [],
    content: { kind: 'dsse', envelope: content.envelope },
  }
  return wrapped(bundle, notes)
}

/** Hostile: anybody may push a legacy layer, and one that no bundle may look like must not keep the others from being migrated. */
function wrapped(bundle: Bundle, notes: readonly string[]): Wrapping {
  try {
    const bytes = serializeBundle(bundle)
    if (bundle.content.kind === 'dsse' && sameEnvelope(parseBundle(bytes), bundle)) {
      return { kind: 'bundle', bytes, predicateType: parseStatement(bundle.content.envelope.payload).predicateType, notes }
    }
    return { kind: 'impossible', why: 'a bundle around it does not read back as the same attestation' }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return { kind: 'impossible', why: `no bundle may hold it: ${cause.message.slice(0, 200)}` }
  }
}

/** Whether two hold the same statement under the same signature. */
export function sameEnvelope(a: SignedEntity, b: SignedEntity): boolean {
  return (
    a.content.kind === 'dsse' &&
    b.content.kind === 'dsse' &&
    signedKey(a) === signedKey(b) &&
    equalBytes(a.content.envelope.payload, b.content.envelope.payload)
  )
}

function signedKey({ content }: SignedEntity): string {
  if (content.kind !== 'dsse') return ''
  return `${content.envelope.payloadType} ${content.envelope.signatures.map(({ sig }) => bytesToBase64(sig)).join(' ')}`
}
