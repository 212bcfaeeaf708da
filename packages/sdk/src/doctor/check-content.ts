/** What may be wrong with the content of one manifest that holds signatures. */
import { bytesToBase64 } from '@countersign/core/base64'
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace, openMembers } from '@countersign/core/json/shape'
import { mediaTypes } from '@countersign/core/oci/layouts'
import type { ImageManifest } from '@countersign/core/oci/model'
import { parseStatement } from '@countersign/core/statement/statement'
import { isBundleMediaType } from '../discover/entity.ts'
import { layerKey } from '../discover/layer-key.ts'
import { type Finding, finding } from './finding.ts'
import type { Gathered, ExaminedLayer, ExaminedManifest } from './gather.ts'

type Read = Extract<ExaminedManifest, { readonly kind: 'read' }>

/** Checks a referrer that was read. */
export function checkReferrer(gathered: Gathered, digest: Digest, read: Read): readonly Finding[] {
  const { manifest, layers } = read
  if (manifest.subject?.digest !== gathered.subject) {
    return [finding('referrer_foreign', digest, `its subject is ${manifest.subject?.digest ?? 'nothing'}`)]
  }
  if (manifest.kind === 'index') return []
  if (layers.length === 0 && isBundleType(manifest.artifactType)) return [finding('signature_empty', digest, 'a bundle without layers')]
  return layers.flatMap((layer): readonly Finding[] => {
    const place = `${digest} ${layer.descriptor.digest}`
    if (layer.kind !== 'entity') return checkLayer(layer, place, 'bundle_unusable')
    if (isBundleMediaType(layer.descriptor.mediaType)) return checkBundle(gathered, place, manifest, layer.entity, layer)
    const hidden = !isUnderSig(gathered, layer)
    const foreign = checkSubject(gathered.subject, layer.entity, place)
    return hidden && foreign.length === 0
      ? [finding('legacy_hidden', place, 'a legacy signature that is a referrer, cosign’s experiment')]
      : foreign
  })
}

function checkLayer(
  layer: Exclude<ExaminedLayer, { kind: 'entity' }>,
  place: string,
  malformed: 'bundle_unusable' | 'legacy_layer_malformed',
): readonly Finding[] {
  switch (layer.kind) {
    case 'other':
      return []
    case 'missing':
      return [finding('blob_missing', place, layer.detail)]
    case 'altered':
      return [finding('content_altered', place, layer.detail)]
    case 'malformed':
      return layer.descriptor.size === 0
        ? [finding('signature_empty', place, 'an empty layer')]
        : [finding(malformed, place, `it does not parse: ${layer.detail}`)]
    default:
      return unreachable(layer)
  }
}

function checkBundle(
  gathered: Gathered,
  place: string,
  manifest: ImageManifest,
  entity: SignedEntity,
  { descriptor }: ExaminedLayer,
): readonly Finding[] {
  if (entity.content.kind !== 'dsse') {
    return [finding('bundle_unusable', place, 'a signature over a file, where cosign demands a signed statement')]
  }
  const found = [...checkSubject(gathered.subject, entity, place)]
  const rightType = manifest.artifactType === mediaTypes.bundle && descriptor.mediaType === mediaTypes.bundle
  if (!rightType && !hasTwin(gathered, (twin) => twin.isRight && twin.blob === descriptor.digest)) {
    found.push(finding('bundle_type_wrong', place, `artifact type ${manifest.artifactType ?? 'absent'}, layer ${descriptor.mediaType}`))
  }
  const signature = entity.content.envelope.signatures[0]
  const key = envelopeKey(entity)
  if (signature?.keyid !== undefined && !hasTwin(gathered, (twin) => twin.isRight && !twin.named && twin.key === key)) {
    found.push(finding('envelope_key_id', place, `the envelope names the key ${JSON.stringify(signature.keyid.slice(0, 80))}`))
  }
  return found
}

type Twin = { readonly blob: Digest; readonly isRight: boolean; readonly named: boolean; readonly key: string }

/** Whether another referrer has it right already: the wrong one then stays, and harms nobody. */
function hasTwin(gathered: Gathered, matches: (twin: Twin) => boolean): boolean {
  return [...gathered.referrers.values()].some((read) => {
    if (read.kind !== 'read' || read.manifest.kind !== 'manifest' || read.manifest.subject?.digest !== gathered.subject) return false
    const { artifactType } = read.manifest
    return read.layers.some((layer) => {
      if (layer.kind !== 'entity' || layer.entity.content.kind !== 'dsse') return false
      const { digest: blob, mediaType } = layer.descriptor
      const named = layer.entity.content.envelope.signatures[0]?.keyid !== undefined
      const isRight = artifactType === mediaTypes.bundle && mediaType === mediaTypes.bundle
      return matches({ blob, isRight, named, key: envelopeKey(layer.entity) })
    })
  })
}

function envelopeKey({ content }: SignedEntity): string {
  if (content.kind !== 'dsse') return ''
  const { payload, signatures } = content.envelope
  return `${bytesToBase64(payload)} ${signatures.map(({ sig }) => bytesToBase64(sig)).join(' ')}`
}

function isBundleType(artifactType: string | undefined): boolean {
  return artifactType !== undefined && isBundleMediaType(artifactType)
}

function isUnderSig({ sig }: Gathered, layer: ExaminedLayer): boolean {
  return sig.kind === 'read' && sig.layers.some(({ descriptor }) => layerKey(descriptor) === layerKey(layer.descriptor))
}

/** Whether what was signed names this image. */
function checkSubject(subject: Digest, entity: SignedEntity, place: string): readonly Finding[] {
  try {
    const named = namedDigests(entity)
    if (named.includes(subject)) return []
    return [finding('signature_foreign', place, `it names ${named.slice(0, 3).join(', ') || 'no image'}`)]
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return [finding('bundle_unusable', place, `what was signed does not parse: ${cause.message}`)]
  }
}

function namedDigests({ content }: SignedEntity): readonly string[] {
  switch (content.kind) {
    case 'dsse':
      return parseStatement(content.envelope.payload).subjects.flatMap(({ digest }) =>
        Object.entries(digest).map(([algorithm, hex]) => `${algorithm}:${hex}`),
      )
    case 'simple-signing': {
      const { value } = parseJsonAs('bundle_malformed', 'the payload', content.payload)
      const image = openMembers(openMembers(openMembers(documentPlace(value, 'bundle_malformed'))('critical'))('image'))
      const digest = image('docker-manifest-digest').value
      return typeof digest === 'string' ? [digest] : []
    }
    case 'message':
      return []
    default:
      return unreachable(content)
  }
}

/** Checks what is under `.sig` or `.att`. */
export function checkLegacy(gathered: Gathered, kind: 'sig' | 'att', tag: string): readonly Finding[] {
  const read = gathered[kind]
  if (read.kind === 'missing') return []
  if (read.kind !== 'read') return [finding(read.kind === 'altered' ? 'content_altered' : 'legacy_tag_malformed', tag, read.detail)]
  if (read.manifest.kind === 'index') return [finding('legacy_tag_malformed', tag, 'it is an image index')]
  if (read.layers.length === 0) return [finding('signature_empty', tag, 'a manifest without layers')]
  const expected = kind === 'sig' ? mediaTypes.simpleSigning : mediaTypes.envelope
  return read.layers.flatMap((layer) => {
    const place = `${tag} ${layer.descriptor.digest}`
    if (layer.descriptor.mediaType !== expected) {
      return [finding('legacy_layer_malformed', place, `a layer of type ${layer.descriptor.mediaType.slice(0, 120)}`)]
    }
    return layer.kind === 'entity'
      ? checkSubject(gathered.subject, layer.entity, place)
      : checkLayer(layer, place, 'legacy_layer_malformed')
  })
}
