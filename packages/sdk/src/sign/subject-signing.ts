/** Signs one subject in the layouts asked for: finds what is there, adds what is missing, reads back what was written. */
import { bytesToBase64 } from '@countersign/core/base64'
import { legacyAnnotation } from '@countersign/core/bundle/legacy'
import { equalBytes } from '@countersign/core/bytes'
import { serializeEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import { annotationKeys } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { discoverSignatures } from '../discover/discover.ts'
import { type ContentCache, newContentCache } from '../discover/reading.ts'
import type { Discovery, FoundEntity } from '../discover/found.ts'
import { isInLegacyTag, isLegacyLayout } from '../discover/layouts.ts'
import type { Repository } from '../registry/repository.ts'
import { writeBundle } from '../write/bundle-writer.ts'
import { legacyLayerMediaType, type LegacyLayer, writeLegacyLayer } from '../write/legacy-writer.ts'
import { sha256 } from '../write/document.ts'
import type { MergeOptions } from '../write/merge.ts'
import { isPassing, randomPause } from '../write/patience.ts'
import { completeWrite } from './complete.ts'
import { bundleOf, ownPolicy, signedPayload, signStatement } from './own-signature.ts'
import type { SubjectPlan } from './plan.ts'
import type { SignatureLayout, SignEvent, WrittenSignature } from './requests.ts'
import type { Signer } from './signer.ts'

/** Everything that signing one subject needs. */
export type SubjectSigning = Omit<Signing, 'signer'> & { readonly signer: Promise<Signer> }

/** The same with the signer at hand. */
type Signing = {
  readonly repository: Repository
  readonly subject: Descriptor
  readonly plan: SubjectPlan
  readonly signer: Signer
  readonly layout: SignatureLayout
  readonly upload: boolean
  /** Unix milliseconds: the creation time in the manifest's annotations. */
  readonly nowMs: number
  /** Legacy attestations: drop earlier ones of the same type. */
  readonly replace: boolean
  readonly onEvent: (event: SignEvent) => void
  readonly merge?: MergeOptions
}

/** One layout's bytes, signed. */
type Signed = { readonly bytes: Uint8Array; readonly signature?: Uint8Array }

const discoveryAttempts = 4

type OneLayout = 'bundle' | 'legacy'

/**
 * Signs one subject.
 *
 * 1. Discovery: an equal signature of the same key (same bytes signed, verified) is kept, and only completed where a crash left it half-way.
 * 2. Signing, 3. writing (`bundle-writer.ts`, `legacy-writer.ts`): a crash before the end leaves the registry valid; repeat to complete.
 * 4. Discovery again: what was written must be found and verify, else `write_not_confirmed`.
 */
export async function signSubject(request: SubjectSigning): Promise<readonly WrittenSignature[]> {
  const layouts: readonly OneLayout[] = request.layout === 'both' ? ['bundle', 'legacy'] : [request.layout]
  const cache = newContentCache()
  // The key may still be opening: what is there already is looked up meanwhile.
  const [signer, before] = await Promise.all([request.signer, request.upload ? discoverPatiently(request, cache) : undefined])
  const signing: Signing = { ...request, signer }
  if (before === undefined)
    return Promise.all(layouts.map(async (layout) => ({ layout, alreadyThere: false, ...(await sign(signing, layout)) })))
  const written: WrittenSignature[] = []
  for (const layout of layouts) {
    written.push((await keepExisting(signing, layout, before)) ?? (await write(signing, layout, before)))
  }
  if (written.some((one) => !one.alreadyThere)) await confirm(signing, written, cache)
  return written
}

/** Looks again, a few times, where a registry may have failed only because other writers are at work on the same image. */
async function discoverPatiently(signing: Pick<Signing, 'repository' | 'subject' | 'merge'>, cache: ContentCache): Promise<Discovery> {
  const pause = signing.merge?.pause ?? randomPause
  for (let attempt = 1; ; attempt++) {
    const discovery = await discoverSignatures(signing.repository, signing.subject, { cache })
    if (attempt === discoveryAttempts || !discovery.unreadable.some(isPassing)) return discovery
    await pause(attempt)
  }
}

async function sign(signing: Signing, layout: OneLayout): Promise<Signed> {
  const { plan, signer } = signing
  if (layout === 'legacy' && plan.legacy.kind === 'sig') {
    return { bytes: plan.legacy.payload, signature: await signer.signMessage(plan.legacy.payload) }
  }
  const envelope = await signStatement(plan.statement, signer)
  return { bytes: layout === 'legacy' ? serializeEnvelope(envelope) : bundleOf({ kind: 'dsse', envelope }, signer.publicKey) }
}

/** An equal signature of ours in this layout, completed if a writer died half-way. */
async function keepExisting(signing: Signing, layout: OneLayout, before: Discovery): Promise<WrittenSignature | undefined> {
  if (layout === 'legacy' && signing.replace) return undefined
  const wanted = layout === 'legacy' && signing.plan.legacy.kind === 'sig' ? signing.plan.legacy.payload : signing.plan.statement
  for (const found of before.found) {
    const { layouts } = found.origin
    if (layout === 'legacy' ? !isInLegacyTag(layouts) : isLegacyLayout(layouts[0])) continue
    if (!(await isOwn(signing, found, wanted))) continue
    const manifest = await completeWrite(signing.repository, signing.subject, found, before, signing.merge)
    signing.onEvent({ kind: 'already_signed', layout, manifest })
    return { layout, manifest, alreadyThere: true, ...storedForm(found) }
  }
  return undefined
}

async function isOwn(signing: Signing, found: FoundEntity, wanted: Uint8Array): Promise<boolean> {
  if (!found.parsed.ok) return false
  const payload = signedPayload(found.parsed.entity)
  if (payload === undefined || !equalBytes(payload, wanted)) return false
  const verification = await verifyEntity({
    entity: found.parsed.entity,
    artifact: { kind: 'digest', digests: [signing.subject.digest] },
    policy: ownPolicy(signing.signer.publicKey),
    nowMs: signing.nowMs,
    primitives: nodePrimitives,
  })
  return verification.ok
}

function storedForm(found: FoundEntity): Signed {
  const content = found.parsed.ok ? found.parsed.entity.content : undefined
  return content?.kind === 'simple-signing' ? { bytes: found.bytes, signature: content.signature } : { bytes: found.bytes }
}

async function write(signing: Signing, layout: OneLayout, before: Discovery): Promise<WrittenSignature> {
  const signed = await sign(signing, layout)
  signing.onEvent({ kind: 'signed', digest: signing.subject.digest })
  const manifest = layout === 'bundle' ? await writeAsBundle(signing, signed, before) : await writeAsLegacy(signing, signed, before)
  signing.onEvent({ kind: 'written', layout, manifest })
  return { layout, manifest, alreadyThere: false, ...signed }
}

async function writeAsBundle(signing: Signing, signed: Signed, before: Discovery): Promise<Descriptor['digest']> {
  const { repository, subject, plan } = signing
  const parts = { subject, bundle: signed.bytes, predicateType: plan.predicateType, created: createdAt(signing) }
  const written = await writeBundle(repository, parts, { ...signing.merge, known: before.manifests })
  if (written.fallbackTag !== undefined) signing.onEvent({ kind: 'fallback_index', tag: written.fallbackTag })
  return written.manifest
}

function createdAt({ nowMs }: Signing): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}

async function writeAsLegacy(signing: Signing, signed: Signed, before: Discovery): Promise<Descriptor['digest']> {
  const { repository, subject, plan } = signing
  const { kind } = plan.legacy
  const annotations = {
    [legacyAnnotation.signature]: signed.signature === undefined ? '' : bytesToBase64(signed.signature),
    ...(kind === 'att' ? { [annotationKeys.attestationPredicateType]: plan.predicateType } : {}),
  }
  const descriptor = { mediaType: legacyLayerMediaType[kind], size: signed.bytes.length, digest: sha256(signed.bytes), annotations }
  const layer: LegacyLayer = { bytes: signed.bytes, descriptor, created: createdAt(signing) }
  if (!signing.replace || kind === 'sig') return writeLegacyLayer(repository, subject.digest, kind, layer, signing.merge)
  const { dropReplaced } = await import('./replace.ts')
  return dropReplaced(signing.repository, subject.digest, layer, plan.predicateType, before, signing.merge)
}

/** 4. What was written must be found by a reader, and verify with our own public key. */
async function confirm(signing: Signing, written: readonly WrittenSignature[], cache: ContentCache): Promise<void> {
  const after = await discoverPatiently(signing, cache)
  for (const one of written) {
    if (one.alreadyThere) continue
    const blob = sha256(one.bytes)
    const found = after.found.filter((entity) => entity.origin.blob === blob)
    const wanted = one.layout === 'legacy' && signing.plan.legacy.kind === 'sig' ? signing.plan.legacy.payload : signing.plan.statement
    const own = await Promise.all(found.map((entity) => isOwn(signing, entity, wanted)))
    if (own.includes(true)) continue
    const detail = `the signature of ${signing.subject.digest} was written to ${signing.repository.name}, but ${found.length === 0 ? 'is not found there' : 'does not verify'}`
    throw new CountersignError('write_not_confirmed', detail, {
      hint: 'Sign again; if it stays so, the registry loses or changes what it confirms.',
      ...(after.unreadable[0] === undefined ? {} : { cause: after.unreadable[0] }),
    })
  }
}
