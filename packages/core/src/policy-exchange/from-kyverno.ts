/** Kyverno's `ClusterPolicy` and `Policy`, rules with `verifyImages` (kyverno.io/v1), to a policy. */
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { isAbsent, items, openMembers, optionalItems, placed, text, type Members, type Place } from '../json/shape.ts'
import type { Decision } from '../policy/model.ts'
import { kyvernoCondition } from './cel.ts'
import { addRule, type Draft, type DraftRule, setUnmatched } from './draft.ts'
import { fromKyvernoImage } from './image-globs.ts'
import { refusedByPattern } from './kyverno-pattern.ts'
import { kyvernoAttestors, type KyvernoDemand } from './kyverno-attestors.ts'
import { proofFields } from './proof.ts'
import type { LossLog } from './losses.ts'
import { nameFrom } from './names.ts'

const maxRules = 200
const maxImages = 256
const maxConditions = 64

/** Adds what the document demands to the draft. Throws the code of the place. */
export function fromKyverno(at: Place, draft: Draft, log: LossLog): void {
  const spec = openMembers(openMembers(at)('spec'))
  const usual: Decision = isAudit(spec('validationFailureAction')) ? 'warn' : 'deny'
  for (const rule of items(spec('rules'), maxRules)) {
    const field = openMembers(rule)
    if (isAbsent(field('verifyImages'))) fromOtherRule(field, rule, draft, log)
    else {
      surroundings(field, log)
      for (const entry of items(field('verifyImages'), maxRules)) fromEntry(entry, text(field('name')), usual, { draft, log })
    }
  }
}

function isAudit(at: Place): boolean {
  return typeof at.value === 'string' && at.value.toLowerCase() === 'audit'
}

/** A rule that allows images of some registries alone is what a policy calls `unmatched: deny`. */
function fromOtherRule(field: Members, at: Place, draft: Draft, log: LossLog): void {
  const containers = readPath(field('validate').value, ['pattern', 'spec', 'containers'])
  const image =
    Array.isArray(containers) && containers.length === 1 ? readPath((containers as readonly JsonValue[])[0], ['image']) : undefined
  if (typeof image === 'string') {
    setUnmatched(draft, isAudit(placed(at, readPath(field('validate').value, ['failureAction']))) ? 'warn' : 'deny')
    draft.restrictions.push({
      refusedOf: (globs) => refusedByPattern(image, globs),
      lost: ([glob = '']) =>
        log.weaker(field('validate').path, `not all images of ${glob.slice(0, 200)} are allowed there; here those that are signed are`),
    })
    surroundings(field, log)
    return
  }
  log.note(at.path, 'the rule does not verify images')
}

function readPath(value: JsonValue | undefined, steps: readonly string[]): JsonValue | undefined {
  let here = value
  for (const step of steps) {
    if (typeof here !== 'object' || here === null || Array.isArray(here)) return undefined
    here = (here as JsonObject)[step]
  }
  return here
}

/** What narrows the rule to some resources: a policy judges an image wherever it is to run. */
function surroundings(field: Members, log: LossLog): void {
  const narrow = /"(?:namespaces|namespaceSelector|selector|annotations|names|operations|subjects|roles|clusterRoles)":/
  if (narrow.test(JSON.stringify(field('match').value ?? {})))
    log.stricter(field('match').path, 'the rule is for some resources of the cluster; here it is for the images wherever they run')
  for (const name of ['exclude', 'preconditions']) {
    if (!isAbsent(field(name))) log.stricter(field(name).path, 'what is left out there is judged here too')
  }
  if (!isAbsent(field('celPreconditions'))) log.stricter(field('celPreconditions').path, 'what is left out there is judged here too')
}

type Around = { readonly draft: Draft; readonly log: LossLog }

function fromEntry(at: Place, rule: string, usual: Decision, { draft, log }: Around): void {
  const field = openMembers(at)
  const images = imagesOf(field, log)
  if (images.length === 0) return log.dropped(at.path, 'no image is named that can be matched here')
  if (!isAbsent(field('skipImageReferences'))) log.stricter(field('skipImageReferences').path, 'these images are judged here too')
  const decision = isAbsent(field('failureAction')) ? usual : isAudit(field('failureAction')) ? 'warn' : 'deny'
  const base = { name: nameFrom(rule), images, decision }
  for (const place of ['mutateDigest', 'verifyDigest', 'useCache', 'imageRegistryCredentials', 'cosignOCI11', 'required'].map(field))
    if (!isAbsent(place)) log.note(place.path, 'says how the cluster handles the image, not who must have signed it')
  if (!isAbsent(field('repository'))) log.note(field('repository').path, 'verify with --signature-repository')
  for (const name of [
    'validate',
    'key',
    'roots',
    'subject',
    'issuer',
    'image',
    'attestors',
    'annotations',
    'additionalExtensions',
  ] as const) {
    if (name !== 'attestors' && !isAbsent(field(name)))
      log.weaker(field(name).path, 'a condition over several attestations, or a form of old')
  }
  const attestations = optionalItems(field('attestations'), maxRules)
  const outer = kyvernoAttestors(field('attestors'), draft, log)
  // Where attestations are named, what is signed there is the attestations.
  if (attestations.length === 0) {
    if (outer === undefined) log.weaker(at.path, 'it names nobody who must have signed')
    else addRule(draft, { ...base, body: { signature: signatureOf(outer) } })
  }
  for (const attestation of attestations) fromAttestation(attestation, base, outer, { draft, log })
}

function signatureOf({ by, annotations, proof }: KyvernoDemand): JsonObject {
  return { by, ...proofFields(proof), ...(Object.keys(annotations).length === 0 ? {} : { annotations }) }
}

function imagesOf(field: Members, log: LossLog): readonly string[] {
  return optionalItems(field('imageReferences'), maxImages).flatMap((place) => {
    const globs = fromKyvernoImage(text(place))
    if (globs === undefined) log.dropped(place.path, 'an image by digest is not matched here')
    else if (!/[*@:]/.test(text(place).slice(text(place).lastIndexOf('/') + 1)))
      log.stricter(place.path, 'there it matches no image, since it names no tag; here it matches every tag')
    return globs ?? []
  })
}

function fromAttestation(
  at: Place,
  base: Pick<DraftRule, 'name' | 'images' | 'decision'>,
  outer: KyvernoDemand | undefined,
  { draft, log }: Around,
): void {
  const field = openMembers(at)
  const type = isAbsent(field('type')) ? field('predicateType') : field('type')
  const own = kyvernoAttestors(field('attestors'), draft, log)
  const demand = own ?? outer
  if (demand === undefined) return log.weaker(at.path, 'it names nobody who must have signed the attestation')
  if (Object.keys(demand.annotations).length > 0) log.weaker(at.path, 'annotations of an attestation')
  const name = isAbsent(field('name')) ? `${base.name}-attested` : `${base.name}-${text(field('name'))}`
  const condition = conditionOf(field('conditions'), log)
  const attestation = {
    type: text(type),
    by: demand.by,
    ...proofFields(demand.proof),
    ...(condition === '' ? {} : { condition }),
  }
  addRule(draft, { ...base, name, body: { attestation } })
}

/** All items of the list must hold; in each, all of `all` and one of `any`. */
function conditionOf(at: Place, log: LossLog): string {
  const parts: string[] = []
  for (const item of optionalItems(at, maxConditions)) {
    const field = openMembers(item)
    for (const [name, join] of [
      ['all', ' && '],
      ['any', ' || '],
    ] as const) {
      const places = optionalItems(field(name), maxConditions)
      const conditions = places.map((place) => {
        const one = openMembers(place)
        return kyvernoCondition(text(one('key')), text(one('operator')), one('value').value ?? null)
      })
      const lost = conditions.findIndex((condition) => condition === undefined)
      if (lost !== -1) log.weaker(places[lost]?.path ?? item.path, 'a condition that has no counterpart in CEL over the predicate alone')
      const known = conditions.filter((condition) => condition !== undefined)
      // An alternative that is lost would make the others a demand.
      if (name === 'any' && lost !== -1) continue
      if (known.length > 0) parts.push(known.length === 1 ? (known[0] ?? '') : `(${known.join(join)})`)
    }
  }
  return parts.join(' && ')
}
