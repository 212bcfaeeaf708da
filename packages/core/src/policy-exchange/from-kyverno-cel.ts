/** Kyverno's `ImageValidatingPolicy` (policies.kyverno.io) to a policy. */
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { isAbsent, openMembers, optionalItems, text, textMap, type Members, type Place } from '../json/shape.ts'
import type { Decision } from '../policy/model.ts'
import { addIdentity, addRule, type Draft, partyOf } from './draft.ts'
import { fromKyvernoImage } from './image-globs.ts'
import { anybodyUnder, certifiedKey, keyIdentity, namedKey, pemKeys } from './keys.ts'
import { additionalExtensions, keylessIdentity } from './keyless.ts'
import { demandsTimestamp, type Proof, proofFields, proofTogether } from './proof.ts'
import type { LossLog } from './losses.ts'
import { type CelDemand, readValidation } from './kyverno-validations.ts'

const maxItems = 100

type Attestor = { readonly by: JsonValue; readonly proof: Proof; readonly annotations: Readonly<Record<string, string>> }
type Around = {
  readonly draft: Draft
  readonly log: LossLog
  readonly attestors: ReadonlyMap<string, Attestor>
  readonly types: ReadonlyMap<string, string>
}

/** Adds what the document demands to the draft. Throws the code of the place. */
export async function fromKyvernoCel(at: Place, draft: Draft, log: LossLog): Promise<void> {
  const spec = openMembers(openMembers(at)('spec'))
  const images = imagesOf(spec('matchImageReferences'), log)
  narrowed(spec, log)
  const attestors = new Map<string, Attestor>()
  for (const place of optionalItems(spec('attestors'), maxItems)) {
    const field = openMembers(place)
    const attestor = readAttestor(field, place, draft, log)
    if (attestor !== undefined) attestors.set(text(field('name')), attestor)
  }
  const types = new Map<string, string>()
  for (const place of optionalItems(spec('attestations'), maxItems)) {
    const field = openMembers(place)
    const form = (['intoto', 'referrer'] as const).find((name) => !isAbsent(field(name)))
    if (form === 'intoto') types.set(text(field('name')), text(openMembers(field(form))('type')))
  }
  const demands: CelDemand[] = []
  const around = { draft, log, attestors, types }
  for (const place of optionalItems(spec('validations'), maxItems)) {
    const field = openMembers(place)
    await readValidation(text(field('expression')), field('expression').path, demands, around)
  }
  const actions = optionalItems(spec('validationActions'), maxItems).map(text)
  const decision: Decision = actions.length > 0 && !actions.includes('Deny') ? 'warn' : 'deny'
  for (const demand of demands) finishDemand(demand, { images: demand.images ?? images, decision }, around)
}

function imagesOf(at: Place, log: LossLog): readonly string[] {
  const images = optionalItems(at, maxItems).flatMap((place) => {
    const field = openMembers(place)
    const globs = isAbsent(field('glob')) ? undefined : fromKyvernoImage(text(field('glob')))
    if (globs === undefined) log.dropped(place.path, 'images that an expression or a digest chooses are not matched here')
    return globs ?? []
  })
  return images.length === 0 ? ['**'] : images
}

function narrowed(spec: Members, log: LossLog): void {
  if (!isAbsent(spec('matchConditions')))
    log.stricter(spec('matchConditions').path, 'resources that are left out there are judged here too')
  for (const name of [
    'validationConfigurations',
    'credentials',
    'evaluation',
    'autogen',
    'images',
    'failurePolicy',
    'webhookConfiguration',
  ]) {
    if (!isAbsent(spec(name))) log.note(spec(name).path, 'says how the cluster handles the image, not who must have signed it')
  }
}

function readAttestor(field: Members, at: Place, draft: Draft, log: LossLog): Attestor | undefined {
  const name = text(field('name'))
  if (!isAbsent(field('notary'))) {
    const certs = field('notary').value === undefined ? at : openMembers(field('notary'))('certs')
    const roots = valueOf(certs)
    if (roots === undefined) return lost(certs, log)
    log.note(certs.path, 'a signature by a certificate under these; the formats of Notary Project are not read')
    return { by: addIdentity(draft, name, anybodyUnder([{ pem: roots }])), proof: { log: false, time: false }, annotations: {} }
  }
  const cosign = openMembers(field('cosign'))
  const ctlog = isAbsent(cosign('ctlog')) ? undefined : openMembers(cosign('ctlog'))
  const ignored = ctlog?.('insecureIgnoreTlog').value === true
  const time = ctlog !== undefined && demandsTimestamp(ctlog('tsaCertChain'), log)
  for (const place of ['url', 'rekorPubKey', 'ctLogPubKey'].flatMap((each) => (ctlog === undefined ? [] : [ctlog(each)])))
    if (!isAbsent(place)) log.note(place.path, 'which log and authorities are trusted is said with --trusted-root')
  for (const place of [cosign('tuf'), cosign('trustedRoot'), cosign('source')])
    if (!isAbsent(place)) log.note(place.path, 'where to look and whom to trust is said with flags, not in the policy')
  const annotations = isAbsent(cosign('annotations')) ? {} : { ...textMap(cosign('annotations'), maxItems) }
  if (!isAbsent(cosign('keyless'))) {
    if (ignored || ctlog?.('insecureIgnoreSCT').value === true)
      log.stricter(cosign('ctlog').path, 'certificates of Fulcio count only with log entry and SCT here')
    return { by: keylessParty(openMembers(cosign('keyless')), name, draft, log), proof: { log: 'certificate', time }, annotations }
  }
  const identity = keyOf(cosign, log)
  return identity === undefined
    ? lost(field('cosign'), log)
    : { by: addIdentity(draft, name, identity), proof: { log: !ignored, time }, annotations }
}

function lost(at: Place, log: LossLog): undefined {
  log.note(at.path, 'an attestor that is computed in the cluster')
  return undefined
}

/** `certs` was a text before it became `{value}`. */
function valueOf(at: Place): string | undefined {
  if (typeof at.value === 'string') return at.value
  const value = isAbsent(at) ? undefined : openMembers(at)('value').value
  return typeof value === 'string' ? value : undefined
}

function keyOf(cosign: Members, log: LossLog): JsonObject | undefined {
  if (!isAbsent(cosign('certificate'))) {
    const certificate = openMembers(cosign('certificate'))
    const [cert, chain] = [valueOf(certificate('cert')), valueOf(certificate('certChain'))]
    if (cert !== undefined) return keyIdentity(certifiedKey(cert, certificate('cert').path))
    return chain === undefined ? undefined : anybodyUnder([{ pem: chain }])
  }
  if (isAbsent(cosign('key'))) return undefined
  const key = openMembers(cosign('key'))
  if (!isAbsent(key('data'))) return { keys: [...pemKeys(text(key('data')), key('data').path)] }
  return isAbsent(key('kms')) ? undefined : namedKey(text(key('kms')), key('kms').path, log)
}

function keylessParty(keyless: Members, name: string, draft: Draft, log: LossLog): JsonValue {
  if (!isAbsent(keyless('roots'))) log.note(keyless('roots').path, 'which authority certifies is said with --trusted-root')
  const extensions = additionalExtensions(keyless, log)
  const parties = optionalItems(keyless('identities'), maxItems).map((place) => {
    const field = openMembers(place)
    if (!isAbsent(field('subjectExpression'))) log.weaker(field('subjectExpression').path, 'a subject that is computed in the cluster')
    const { certificate } = keylessIdentity(field, (value) => ({ kind: 'exact', value }), log)
    return addIdentity(draft, name, { certificate: { ...(certificate as JsonObject), ...extensions } })
  })
  if (parties.length > 0) return partyOf(parties, 1)
  log.note(keyless('identities').path, 'no identity is named: everybody with a certificate is accepted, there and here')
  return addIdentity(draft, name, { certificate: { issuer: { pattern: '(?s:.*)' }, subject: { pattern: '(?s:.*)' }, ...extensions } })
}

function finishDemand(demand: CelDemand, base: { readonly images: readonly string[]; readonly decision: Decision }, around: Around): void {
  const { draft, log, attestors, types } = around
  const known = demand.attestors.flatMap((name) => attestors.get(name) ?? [])
  if (known.length < demand.attestors.length) {
    if (known.length < demand.threshold) return log.weaker(demand.path, 'it asks for attestors that cannot be carried over')
    log.stricter(demand.path, 'some of its attestors cannot be carried over')
  }
  const by = partyOf(
    known.map((attestor) => attestor.by),
    demand.threshold,
  )
  const logged = proofFields(
    proofTogether(
      known.map((attestor) => attestor.proof),
      demand.path,
      log,
    ),
  )
  const [first, ...more] = known.map(({ annotations }) => annotations)
  const annotations = first !== undefined && more.every((each) => JSON.stringify(each) === JSON.stringify(first)) ? first : {}
  if (known.some((each) => JSON.stringify(each.annotations) !== JSON.stringify(annotations)))
    log.weaker(demand.path, 'annotations that only some of the attestors must have signed')
  if (demand.attestation === undefined) {
    const signed = Object.keys(annotations).length === 0 ? {} : { annotations }
    return addRule(draft, { ...base, name: 'signed', body: { signature: { by, ...logged, ...signed } } })
  }
  const type = types.get(demand.attestation)
  if (type === undefined) return log.weaker(demand.path, 'an attestation that is found by its media type, not by a predicate type')
  if (Object.keys(annotations).length > 0) log.weaker(demand.path, 'annotations of an attestation')
  const condition = demand.conditions.length === 0 ? {} : { condition: demand.conditions.map((each) => `(${each})`).join(' && ') }
  addRule(draft, { ...base, name: demand.attestation, body: { attestation: { type, by, ...logged, ...condition } } })
}
