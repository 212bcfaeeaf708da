/** Makes the inventory of an image: reads every manifest of it once, and nothing large. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag, legacyTag, type LegacySuffix } from '@countersign/core/oci/layouts'
import type { Descriptor, ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import { gate } from '../discover/bounded.ts'
import { parseStoredManifest } from '../discover/entity.ts'
import { layerKey } from '../discover/layer-key.ts'
import { failureIn } from '../discover/reading.ts'
import type { ManifestReference, StoredManifest } from '../registry/repository.ts'
import type { ImageRepositories } from '../sign/repositories.ts'
import { readContributed } from '../write/stored-document.ts'
import { listAccessoryTags } from './accessory-tags.ts'
import { classifyReferrer } from './classify.ts'
import { type CarriedAccessory, type Inventory, inventoryLimits } from './inventory.ts'
import { type GatherOptions, takeImage, takeManifest, type InventoryWalk } from './walk.ts'

/**
 * Everything of an image. What cannot be listed throws: a copy that does not know what there is would lose it in silence. Throws
 * `artifact_not_found` for a child that is not there, `limit_exceeded`, `manifest_malformed`, and the failures of the repositories.
 */
export async function gatherInventory(source: ImageRepositories, root: Descriptor, options: GatherOptions = {}): Promise<Inventory> {
  const tags = await listAccessoryTags(source.signatures)
  const walk: InventoryWalk = {
    source,
    through: gate(inventoryLimits.parallelism),
    tags,
    options,
    manifests: new Map(),
    accessories: new Map(),
    unreadable: [],
    levels: new Map(),
    noReferrers: false,
  }
  await takeImage(walk, root.digest, 0)
  await visitSubjects(walk, [...walk.manifests.keys()], 0)
  return { root, manifests: walk.manifests, accessories: inOrder(walk), unreadable: walk.unreadable }
}

/** Answers arrive in any order; what is shown and written does not depend on it. */
function inOrder({ accessories, levels }: InventoryWalk): readonly CarriedAccessory[] {
  const key = ({ subject, layout, manifest }: CarriedAccessory): string => `${levels.get(subject) ?? 0} ${layout} ${manifest}`
  return [...accessories.values()].toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** What refers to these manifests, then what refers to that, level by level. */
async function visitSubjects(walk: InventoryWalk, subjects: readonly Digest[], level: number): Promise<void> {
  for (const subject of subjects) walk.levels.set(subject, level)
  const found = (await Promise.all(subjects.map((subject) => visitSubject(walk, subject, level)))).flat()
  const next = [...new Set(found)]
  if (next.length === 0 || walk.options.shallow === true) return
  if (level === inventoryLimits.depth) {
    throw new CountersignError('limit_exceeded', `signatures of signatures go more than ${inventoryLimits.depth} levels deep`)
  }
  await visitSubjects(walk, next, level + 1)
}

/** The digests of what refers to one subject and was not known. */
async function visitSubject(walk: InventoryWalk, subject: Digest, level: number): Promise<readonly Digest[]> {
  const listed = await listReferrers(walk, subject, level)
  const writers = walk.tags.writers(subject)
  const legacy = await Promise.all((['sig', 'att', 'sbom'] as const).map((suffix) => readLegacy(walk, subject, suffix, level)))
  const referrers: ManifestReference[] = [
    ...[...listed].map((digest) => ({ digest })),
    ...writers.filter(({ kind }) => kind === 'bundle').map(({ tag }) => ({ tag })),
  ]
  const tagged = writers.filter(({ kind }) => kind !== 'bundle')
  const taken = await Promise.all([
    ...referrers.map((reference) => takeReferrer(walk, subject, reference)),
    ...legacy.map((one) => (one === undefined ? undefined : takeLegacy(walk, subject, one.suffix, one.stored))),
    ...tagged.map(async ({ tag, kind }) => {
      const stored = await readAccessory(walk, { tag })
      const suffix = kind === 'sig' ? 'sig' : 'att'
      // To be removed, it is named; to be copied, it says nothing that the shared manifest does not.
      const document = walk.options.shallow === true ? undefined : legacy.find((one) => one?.suffix === suffix)?.stored
      if (stored === undefined || (document !== undefined && holdsAll(document, stored))) return undefined
      return takeLegacy(walk, subject, suffix, stored)
    }),
  ])
  return taken.filter((digest) => digest !== undefined)
}

/** Whether the manifest under `.sig` or `.att` has every layer of a writer's own. */
function holdsAll(document: StoredManifest, own: StoredManifest): boolean {
  if (document.digest === own.digest) return true
  const held = new Set(readContributed(document)?.layers.map(layerKey))
  return readContributed(own)?.layers.every((layer) => held.has(layerKey(layer))) === true
}

/** Referrers API and fallback index. The tag of the latter is asked for by name too: some registries hide it from their list. */
async function listReferrers(walk: InventoryWalk, subject: Digest, level: number): Promise<ReadonlySet<Digest>> {
  const { signatures } = walk.source
  const found = new Set<Digest>()
  if (!walk.noReferrers) {
    const answer = await walk.through(() => signatures.referrers(subject))
    if (answer.kind === 'unsupported') walk.noReferrers = true
    else for (const { digest } of answer.manifests) found.add(digest)
  }
  const tag = fallbackTag(subject)
  if (level > 0 && !walk.tags.has(subject, tag)) return found
  const stored = await walk.through(() => signatures.manifest({ tag }))
  const index = stored === undefined ? undefined : parseStoredManifest(stored)
  // `cosign copy` puts the image itself under this tag.
  if (index?.kind === 'index') for (const { digest } of index.manifests) found.add(digest)
  return found
}

async function readLegacy(
  walk: InventoryWalk,
  subject: Digest,
  suffix: LegacySuffix,
  level: number,
): Promise<{ readonly suffix: LegacySuffix; readonly stored: StoredManifest } | undefined> {
  const tag = legacyTag(subject, suffix)
  if (level > 0 && !walk.tags.has(subject, tag)) return undefined
  const stored = await walk.through(() => walk.source.signatures.manifest({ tag }))
  return stored === undefined ? undefined : { suffix, stored }
}

/** A manifest that something lists; one that is not there or not what it should be is noted and cannot be carried. */
async function readAccessory(walk: InventoryWalk, reference: ManifestReference): Promise<StoredManifest | undefined> {
  const { signatures } = walk.source
  const name = 'tag' in reference ? reference.tag : reference.digest
  try {
    const stored = await walk.through(() => signatures.manifest(reference))
    if (stored === undefined)
      walk.unreadable.push(new CountersignError('registry_failed', `${signatures.name} lists ${name}, but does not have it`))
    return stored
  } catch (cause) {
    const failure = failureIn(cause)
    if (failure.code !== 'content_altered' && failure.code !== 'layout_malformed') throw failure
    walk.unreadable.push(failure)
    return undefined
  }
}

async function takeReferrer(walk: InventoryWalk, subject: Digest, reference: ManifestReference): Promise<Digest | undefined> {
  const stored = await readAccessory(walk, reference)
  if (stored === undefined) return undefined
  const manifest = parsedAccessory(walk, stored)
  // A list may name anything; a referrer is what says so itself.
  if (manifest === undefined || manifest.subject?.digest !== subject) return undefined
  const from = walk.source.signatures
  const accessory = { manifest: stored.digest, subject, ...(await walk.through(() => classifyReferrer({ manifest, from }))) }
  return note(walk, accessory, stored, manifest)
}

async function takeLegacy(walk: InventoryWalk, subject: Digest, suffix: LegacySuffix, stored: StoredManifest): Promise<Digest | undefined> {
  const manifest = parsedAccessory(walk, stored)
  if (manifest?.kind !== 'manifest') return undefined
  const kind = suffix === 'sig' ? 'signature' : suffix === 'att' ? 'attestation' : 'sbom'
  const accessory: CarriedAccessory = {
    manifest: stored.digest,
    subject,
    layout: `legacy-${suffix}`,
    kind,
    entries: manifest.layers.length,
  }
  return note(walk, accessory, stored, manifest)
}

function parsedAccessory(walk: InventoryWalk, stored: StoredManifest): ImageManifest | ImageIndex | undefined {
  try {
    const manifest = parseStoredManifest(stored)
    if (manifest === undefined) {
      const found = stored.mediaType.slice(0, 120)
      walk.unreadable.push(
        new CountersignError('not_supported', `${stored.digest} is a manifest of a kind that cannot be carried`, { found }),
      )
    }
    return manifest
  } catch (cause) {
    walk.unreadable.push(failureIn(cause))
    return undefined
  }
}

async function note(
  walk: InventoryWalk,
  accessory: CarriedAccessory,
  stored: StoredManifest,
  manifest: ImageManifest | ImageIndex,
): Promise<Digest | undefined> {
  if (walk.options.wanted?.(accessory) === false) return undefined
  walk.accessories.set(`${accessory.subject} ${accessory.layout} ${accessory.manifest}`, accessory)
  if (walk.manifests.has(stored.digest)) return undefined
  await takeManifest(walk, walk.source.signatures, stored, manifest, manifest.kind === 'index' ? manifest.manifests : [], 0)
  return stored.digest
}
