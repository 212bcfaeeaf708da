/** Attaches what others made to an image: signatures, attestations, SBOMs, files. Nothing is signed here, and nothing is attached twice. */
import { utf8 } from '@countersign/core/bytes'
import { legacyAnnotation, readLegacyLayer } from '@countersign/core/bundle/legacy'
import { parseBundle } from '@countersign/core/bundle/parse'
import { type Digest, digestAlgorithm, digestHex } from '@countersign/core/digest'
import { parseEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import { annotationKeys, legacyTag, mediaTypes } from '@countersign/core/oci/layouts'
import { parseManifest } from '@countersign/core/oci/manifest'
import type { Descriptor } from '@countersign/core/oci/model'
import { isSignatureStatement, parseStatement, type Statement } from '@countersign/core/statement/statement'
import { parseSimpleSigning } from '@countersign/core/verify/simple-signing'
import { layerKey } from '../discover/layer-key.ts'
import { sha256Digest } from '../registry/verified-stream.ts'
import type { ImageRepositories } from '../sign/repositories.ts'
import { writeBundle } from '../write/bundle-writer.ts'
import { document, emptyConfig } from '../write/document.ts'
import { writeLegacyLayer } from '../write/legacy-writer.ts'
import { gatherInventory } from './gather.ts'
import type { Inventory } from './inventory.ts'
import { ensureListed, putSbom } from './listing.ts'

/** Where something was attached. */
export type Attached = {
  readonly subject: Digest
  readonly layout: 'bundle' | 'legacy' | 'referrer'
  readonly manifest: Digest
  /** It was there before: nothing was written. */
  readonly alreadyThere: boolean
}

/** A file of an artifact. */
export type AttachedFile = { readonly bytes: Uint8Array; readonly mediaType: string; readonly title?: string }

/** An image to attach to, and the time that manifests say (RFC 3339, seconds). */
export type AttachTarget = { readonly source: ImageRepositories; readonly subject: Descriptor; readonly created: string }

const maxManifestBytes = 4 * 1024 * 1024

/** Attaches files as an OCI 1.1 artifact that refers to the image. Throws `write_not_confirmed` and the failures of the repository. */
export async function attachArtifact(target: AttachTarget, artifactType: string, files: readonly AttachedFile[]): Promise<Attached> {
  const { subject, source, created } = target
  const layers = files.map(({ bytes, mediaType, title }) => ({
    mediaType,
    digest: sha256Digest(bytes),
    size: bytes.length,
    ...(title === undefined ? {} : { annotations: { 'org.opencontainers.image.title': title } }),
  }))
  const known = findReferrer(await accessoriesOf(target), artifactType, layers)
  if (known !== undefined) return { subject: subject.digest, layout: 'referrer', manifest: known, alreadyThere: true }
  const { mediaType, digest, size } = subject
  const made = document(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: { mediaType: mediaTypes.ociEmpty, digest: sha256Digest(emptyConfig), size: emptyConfig.length },
    layers,
    subject: { mediaType, digest, size },
    annotations: { [annotationKeys.created]: created },
  })
  if (made.bytes.length > maxManifestBytes) throw new CountersignError('limit_exceeded', 'too many files for one artifact')
  const { signatures } = source
  await Promise.all([signatures.putBlob(emptyConfig), ...files.map(({ bytes }) => signatures.putBlob(bytes))])
  await signatures.putManifest({ digest: made.digest }, made.bytes, made.mediaType)
  await ensureListed(digest, [{ stored: made, manifest: parseManifest(made.bytes, made.mediaType) }], signatures)
  return { subject: digest, layout: 'referrer', manifest: made.digest, alreadyThere: false }
}

/** Attaches an SBOM under cosign's tag `.sbom`. Throws `tag_taken` when another one is there and `force` is not set. */
export async function attachLegacySbom(target: AttachTarget, file: AttachedFile, force: boolean): Promise<Attached> {
  const { signatures } = target.source
  const { digest } = target.subject
  const layer = { mediaType: file.mediaType, digest: sha256Digest(file.bytes), size: file.bytes.length }
  const config = utf8('{}')
  const made = document(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: sha256Digest(config), size: config.length },
    layers: [layer],
  })
  await Promise.all([signatures.putBlob(config), signatures.putBlob(file.bytes)])
  const written = await putSbom(digest, made, signatures, { force })
  return { subject: digest, layout: 'legacy', manifest: made.digest, alreadyThere: !written }
}

/** What is attached as a signature must be one, and the other way round. */
export type AttachKind = 'signature' | 'attestation'

/**
 * Attaches a Sigstore bundle as a referrer. Throws `bundle_malformed`, `subject_mismatch` for one of another image, `predicate_mismatch` for an
 * attestation that was called a signature or the other way round, `not_supported` for a bundle of a file.
 */
export async function attachBundle(target: AttachTarget, bytes: Uint8Array, kind: AttachKind): Promise<Attached> {
  const { content } = parseBundle(bytes)
  if (content.kind !== 'dsse') {
    throw new CountersignError('not_supported', 'a bundle with a signature over a file cannot be attached to an image', {
      hint: 'Readers of images take DSSE envelopes alone. Sign the image.',
    })
  }
  const statement = checkStatement(content.envelope.payload, target.subject.digest, kind)
  const { digest } = target.subject
  const blob = sha256Digest(bytes)
  const inventory = await accessoriesOf(target)
  for (const { stored, manifest } of inventory.manifests.values()) {
    if (manifest.subject?.digest !== digest || manifest.kind !== 'manifest' || manifest.layers.every((layer) => layer.digest !== blob))
      continue
    await ensureListed(digest, [{ stored, manifest }], target.source.signatures)
    return { subject: digest, layout: 'bundle', manifest: stored.digest, alreadyThere: true }
  }
  const parts = { subject: target.subject, bundle: bytes, predicateType: statement.predicateType, created: target.created }
  const { manifest } = await writeBundle(target.source.signatures, parts)
  return { subject: digest, layout: 'bundle', manifest, alreadyThere: false }
}

/** Attaches a DSSE envelope to the manifest under `.att`. Throws `dsse_malformed`, `subject_mismatch`, `predicate_mismatch`. */
export async function attachEnvelope(target: AttachTarget, bytes: Uint8Array): Promise<Attached> {
  const { payload } = parseEnvelope(bytes)
  const { predicateType } = checkStatement(payload, target.subject.digest, 'attestation')
  const annotations = { [legacyAnnotation.signature]: '', [annotationKeys.attestationPredicateType]: predicateType }
  return attachLayer(target, 'att', bytes, { mediaType: mediaTypes.envelope, annotations })
}

/** What goes with a simple-signing payload: base64 of the signature, PEM, JSON as cosign keeps them in annotations. */
export type PayloadParts = {
  readonly signature: string
  readonly certificate?: string
  readonly chain?: string
  /** cosign's `RekorBundle`, JSON. */
  readonly rekorBundle?: string
  /** `{"SignedRFC3161Timestamp":"…"}`. */
  readonly timestamp?: string
}

/** Attaches a simple-signing payload and its signature to the manifest under `.sig`. Throws `bundle_malformed`, `subject_mismatch`. */
export async function attachPayload(target: AttachTarget, payload: Uint8Array, parts: PayloadParts): Promise<Attached> {
  const annotations: Record<string, string> = { [legacyAnnotation.signature]: parts.signature }
  if (parts.certificate !== undefined) annotations[legacyAnnotation.certificate] = parts.certificate
  if (parts.chain !== undefined) annotations[legacyAnnotation.chain] = parts.chain
  if (parts.rekorBundle !== undefined) annotations[legacyAnnotation.rekorBundle] = parts.rekorBundle
  if (parts.timestamp !== undefined) annotations[legacyAnnotation.timestamp] = parts.timestamp
  // Whoever reads it back must be able to.
  readLegacyLayer({ kind: 'signature', blob: payload, annotations })
  const { digest } = parseSimpleSigning(payload)
  if (digest !== target.subject.digest) throw otherImage(target.subject.digest, digest)
  return attachLayer(target, 'sig', payload, { mediaType: mediaTypes.simpleSigning, annotations })
}

async function attachLayer(
  target: AttachTarget,
  kind: 'sig' | 'att',
  bytes: Uint8Array,
  { mediaType, annotations }: { readonly mediaType: string; readonly annotations: Readonly<Record<string, string>> },
): Promise<Attached> {
  const { signatures } = target.source
  const subject = target.subject.digest
  const descriptor: Descriptor = { mediaType, digest: sha256Digest(bytes), size: bytes.length, annotations }
  const there = await signatures.manifest({ tag: legacyTag(subject, kind) })
  const manifest = there === undefined ? undefined : parseManifest(there.bytes, there.mediaType)
  const known = manifest?.kind === 'manifest' ? manifest.layers.find((layer) => layerKey(layer) === layerKey(descriptor)) : undefined
  if (there !== undefined && known !== undefined) {
    demandSameAnnotations(annotations, known.annotations ?? {})
    return { subject, layout: 'legacy', manifest: there.digest, alreadyThere: true }
  }
  const written = await writeLegacyLayer(signatures, subject, kind, { bytes, descriptor, created: target.created })
  return { subject, layout: 'legacy', manifest: written, alreadyThere: false }
}

/** A signature is there once, whatever came with it: certificate, log entry and timestamp cannot be added to it by merging. */
function demandSameAnnotations(wanted: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>): void {
  const other = Object.keys(wanted).find((name) => wanted[name] !== found[name])
  if (other === undefined) return
  throw new CountersignError('not_supported', 'this signature is there already, with other parts beside it', {
    expected: other,
    found: found[other] === undefined ? 'none' : 'another',
    hint: 'Remove it with "countersign clean --type signature", and attach it with all of its parts.',
  })
}

function checkStatement(payload: Uint8Array, subject: Digest, kind: AttachKind): Statement {
  const statement = parseStatement(payload)
  const isSignature = isSignatureStatement(statement)
  if (isSignature !== (kind === 'signature')) {
    throw new CountersignError('predicate_mismatch', `this is ${isSignature ? 'a signature' : 'an attestation'}`, {
      expected: kind === 'signature' ? 'a signature' : 'an attestation',
      found: statement.predicateType.slice(0, 120),
      hint: `Use "countersign attach ${isSignature ? 'signature' : 'attestation'}".`,
    })
  }
  const names = statement.subjects.map(({ digest }) => digest[digestAlgorithm(subject)])
  if (!names.includes(digestHex(subject))) throw otherImage(subject, names[0])
  return statement
}

function otherImage(expected: Digest, found: string | undefined): CountersignError {
  return new CountersignError('subject_mismatch', 'what was signed is another image', {
    expected,
    ...(found === undefined ? {} : { found: found.slice(0, 160) }),
    hint: 'Name the image that it is about.',
  })
}

function accessoriesOf({ source, subject }: AttachTarget): Promise<Inventory> {
  return gatherInventory(source, subject, { shallow: true })
}

function findReferrer({ manifests }: Inventory, artifactType: string, layers: readonly Descriptor[]): Digest | undefined {
  const key = (list: readonly Descriptor[]): string => JSON.stringify(list.map(({ mediaType, digest }) => [mediaType, digest]))
  for (const [digest, { manifest }] of manifests) {
    if (manifest.kind !== 'manifest' || manifest.subject === undefined || manifest.artifactType !== artifactType) continue
    if (key(manifest.layers) === key(layers)) return digest
  }
  return undefined
}
