/** Signs one subject in the layouts asked for: finds what is there, adds what is missing, reads back what was written. */
import { bytesToBase64 } from '@countersign/core/base64'
import { legacyAnnotation } from '@countersign/core/bundle/legacy'
import { equalBytes } from '@countersign/core/bytes'
import { serializeEnvelope } from '@countersign/core/dsse/envelope'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { annotationKeys } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { readContent } from '../discover/content.ts'
import { discoverSignatures } from '../discover/discover.ts'
import type { Discovery, FoundEntity } from '../discover/found.ts'
import { isInLegacyTag, isLegacyLayout } from '../discover/layouts.ts'
import { defaultDiscoveryLimits } from '../discover/limits.ts'
import { newContentCache, startReading } from '../discover/reading.ts'
import type { Repository } from '../registry/repository.ts'
import { sha256Digest } from '../registry/verified-stream.ts'
import { beginConfig, writeBundle } from '../write/bundle-writer.ts'
import { legacyLayerMediaType, type LegacyLayer, writeLegacyLayer } from '../write/legacy-writer.ts'
import type { MergeOptions, WriteOptions } from '../write/merge.ts'
import { isPassing, patiently, randomPause } from '../write/patience.ts'
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
 *    The writers return once a reader's listing holds the signature.
 * 4. Meanwhile manifest and blob are read again as a verifier reads them, and must verify, else `write_not_confirmed`.
 */
export async function signSubject(request: SubjectSigning): Promise<readonly WrittenSignature[]> {
  const layouts: readonly OneLayout[] = request.layout === 'both' ? ['bundle', 'legacy'] : [request.layout]
  // The key may still be opening: what is there already is looked up meanwhile.
  const [signer, before] = await Promise.all([request.signer, request.upload ? lookAhead(request) : undefined])
  const signing: Signing = { ...request, signer }
  if (before === undefined)
    return Promise.all(layouts.map(async (layout) => ({ layout, alreadyThere: false, ...(await sign(signing, layout)) })))
  const written: WrittenSignature[] = []
  for (const layout of layouts) {
    written.push((await keepExisting(signing, layout, before)) ?? (await write(signing, layout, before)))
  }
  return written
}

/** What is there, and where that is nothing yet, the config of the first bundle on its way: the same two bytes for everybody. */
type Ahead = Discovery & { readonly config?: Promise<unknown> }

async function lookAhead(request: SubjectSigning): Promise<Ahead> {
  const before = await discoverPatiently(request)
  const isFirst = before.found.length === 0 && before.unreadable.length === 0 && request.layout !== 'legacy'
  if (isFirst) request.repository.expectBlob?.()
  return isFirst ? { ...before, config: beginConfig(request.repository) } : before
}

/** Looks again, a few times, where a registry may have failed only because other writers are at work on the same image. */
async function discoverPatiently(signing: Pick<Signing, 'repository' | 'subject' | 'merge'>): Promise<Discovery> {
  const cache = newContentCache()
  const pause = signing.merge?.pause ?? randomPause
  for (let attempt = 1; ; attempt++) {
    const discovery = await discoverSignatures(signing.repository, signing.subject, { cache })
    if (attempt === discoveryAttempts || !discovery.unreadable.some(isPassing)) return discovery
    await pause(attempt)
  }
}

async function sign(signing: Signing, layout: OneLayout): Promise<Signed> {
  const { plan, signer } = signing
  if (layout === 'legacy' && signer.services !== undefined) {
    throw new CountersignError('not_supported', 'certificates, log entries and timestamps are kept in bundles, not in the legacy layout', {
      hint: 'Leave --layout out, or sign with --key and without services.',
    })
  }
  if (layout === 'legacy' && plan.legacy.kind === 'sig') {
    return { bytes: plan.legacy.payload, signature: await signer.signMessage(plan.legacy.payload) }
  }
  const envelope = await signStatement(plan.statement, signer)
  return { bytes: layout === 'legacy' ? serializeEnvelope(envelope) : await bundleOf({ kind: 'dsse', envelope }, signer) }
}

/** An equal signature of ours in this layout, completed if a writer died half-way. */
async function keepExisting(signing: Signing, layout: OneLayout, before: Discovery): Promise<WrittenSignature | undefined> {
  if (layout === 'legacy' && signing.replace) return undefined
  for (const found of before.found) {
    const { layouts } = found.origin
    if (layout === 'legacy' ? !isInLegacyTag(layouts) : isLegacyLayout(layouts[0])) continue
    if (!(await isOwn(signing, layout, found.parsed))) continue
    const manifest = await completeWrite(signing.repository, signing.subject, found, before, signing.merge)
    signing.onEvent({ kind: 'already_signed', layout, manifest })
    return { layout, manifest, alreadyThere: true, ...storedForm(found) }
  }
  return undefined
}

/** Whether it is what is to be signed in this layout, and verifies with our own public key. */
async function isOwn(signing: Signing, layout: OneLayout, parsed: FoundEntity['parsed']): Promise<boolean> {
  if (!parsed.ok) return false
  const payload = signedPayload(parsed.entity)
  const wanted = layout === 'legacy' && signing.plan.legacy.kind === 'sig' ? signing.plan.legacy.payload : signing.plan.statement
  if (payload === undefined || !equalBytes(payload, wanted)) return false
  const verification = await verifyEntity({
    entity: parsed.entity,
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

async function write(signing: Signing, layout: OneLayout, before: Ahead): Promise<WrittenSignature> {
  const signed = await sign(signing, layout)
  signing.onEvent({ kind: 'signed', digest: signing.subject.digest })
  const options = { ...signing.merge, whenStored: (manifest: Digest) => readBack(signing, layout, manifest) }
  const manifest = await (layout === 'bundle' ? writeAsBundle : writeAsLegacy)(signing, signed, before, options)
  signing.onEvent({ kind: 'written', layout, manifest })
  return { layout, manifest, alreadyThere: false, ...signed }
}

async function writeAsBundle(signing: Signing, signed: Signed, before: Ahead, options: WriteOptions): Promise<Digest> {
  const { repository, subject, plan } = signing
  const parts = { subject, bundle: signed.bytes, predicateType: plan.predicateType, created: createdAt(signing) }
  const { manifests: known, referrers, config } = before
  const seen = { known, ...(referrers === undefined ? {} : { referrers }), ...(config === undefined ? {} : { config }) }
  const written = await writeBundle(repository, parts, { ...options, ...seen })
  if (written.fallbackTag !== undefined) signing.onEvent({ kind: 'fallback_index', tag: written.fallbackTag })
  return written.manifest
}

function createdAt({ nowMs }: Signing): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}

async function writeAsLegacy(signing: Signing, signed: Signed, before: Discovery, options: WriteOptions): Promise<Digest> {
  const { repository, subject, plan } = signing
  const { kind } = plan.legacy
  const annotations = {
    [legacyAnnotation.signature]: signed.signature === undefined ? '' : bytesToBase64(signed.signature),
    ...(kind === 'att' ? { [annotationKeys.attestationPredicateType]: plan.predicateType } : {}),
  }
  const descriptor = { mediaType: legacyLayerMediaType[kind], size: signed.bytes.length, digest: sha256Digest(signed.bytes), annotations }
  const layer: LegacyLayer = { bytes: signed.bytes, descriptor, created: createdAt(signing) }
  if (!signing.replace || kind === 'sig') return writeLegacyLayer(repository, subject.digest, kind, layer, options)
  const { dropReplaced } = await import('./replace.ts')
  return dropReplaced(signing.repository, subject.digest, layer, plan.predicateType, before, options)
}

/** 4. What was stored is read again from the registry, as a verifier reads it, and must verify with our own public key. */
async function readBack(signing: Signing, layout: OneLayout, manifest: Digest): Promise<void> {
  const { repository, subject, merge } = signing
  const content = await patiently(async () => {
    const reading = startReading(repository, defaultDiscoveryLimits)
    const read = await readContent(reading, await reading.listedManifest({ digest: manifest }), () => true)
    if (read.unreadable[0] !== undefined) throw read.unreadable[0]
    return read
  }, merge?.pause)
  const isAbout = layout === 'legacy' || content.manifest?.subject?.digest === subject.digest
  const own = await Promise.all(content.layers.map((layer) => isOwn(signing, layout, layer.parsed)))
  if (isAbout && own.includes(true)) return
  throw new CountersignError('write_not_confirmed', `the signature of ${subject.digest} as stored in ${repository.name} does not verify`, {
    hint: 'Sign again; if it stays so, the registry loses or changes what it confirms.',
  })
}
