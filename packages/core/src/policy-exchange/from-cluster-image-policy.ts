/** `ClusterImagePolicy` of sigstore's policy-controller (policy.sigstore.dev), to a policy. Policies are "and", authorities of one are "or". */
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { isAbsent, openMembers, optionalItems, text, type Members, type Place } from '../json/shape.ts'
import type { Decision } from '../policy/model.ts'
import { cueCondition } from './cel.ts'
import { addIdentity, addRule, type Draft, type DraftRule, partyOf, setUnmatched } from './draft.ts'
import { fromControllerImage } from './image-globs.ts'
import { keylessIdentity } from './keyless.ts'
import { keyIdentity, namedKey, pemKeys } from './keys.ts'
import { demandsTimestamp, type Proof, proofFields, proofTogether } from './proof.ts'
import type { LossLog } from './losses.ts'

const maxItems = 100

type Authority = { readonly by: JsonValue; readonly proof: Proof; readonly attestations: readonly Place[]; readonly path: string }

/** Adds what the document demands to the draft. Throws the code of the place. */
export function fromClusterImagePolicy(at: Place, draft: Draft, log: LossLog): void {
  const [root, name] = [openMembers(at), openMembers(openMembers(at)('metadata'))('name')]
  const spec = openMembers(root('spec'))
  const images = optionalItems(spec('images'), maxItems).flatMap((place) => fromControllerImage(text(openMembers(place)('glob'))))
  if (!isAbsent(spec('match')))
    log.stricter(spec('match').path, 'the policy is for some resources of the cluster; here it is for the images wherever they run')
  if (!isAbsent(spec('policy'))) log.weaker(spec('policy').path, 'a condition in CUE or Rego over all authorities')
  const decision: Decision = spec('mode').value === 'warn' ? 'warn' : 'deny'
  const base = { name: typeof name.value === 'string' ? name.value : 'signed', images, decision }
  const places = optionalItems(spec('authorities'), maxItems)
  const authorities = places.flatMap((place) => readAuthority(place, base, { draft, log }) ?? [])
  if (authorities.length === 0) {
    if (places.some((place) => isAbsent(openMembers(place)('static'))))
      log.dropped(spec('authorities').path, 'no authority could be carried over, and no rule speaks of these images here')
    return
  }
  addAuthorities(authorities, base, { draft, log })
}

/** The cluster's setting for images that no policy speaks of. */
export function fromControllerConfig(at: Place, draft: Draft): boolean {
  const data = openMembers(at)('data')
  if (isAbsent(data)) return false
  const word = openMembers(data)('no-match-policy').value
  if (word !== 'allow' && word !== 'warn' && word !== 'deny') return false
  setUnmatched(draft, word)
  return true
}

type Base = Pick<DraftRule, 'name' | 'images' | 'decision'>
type Around = { readonly draft: Draft; readonly log: LossLog }

function readAuthority(at: Place, base: Base, { draft, log }: Around): Authority | undefined {
  const field = openMembers(at)
  for (const name of ['source', 'signatureFormat'])
    if (!isAbsent(field(name))) log.note(field(name).path, 'where to look and whom to trust is said with flags, not in the policy')
  if (!isAbsent(field('ctlog'))) log.note(field('ctlog').path, 'which log is trusted is said with --trusted-root')
  if (!isAbsent(field('static'))) {
    const passes = openMembers(field('static'))('action').value === 'pass'
    if (passes) log.stricter(at.path, 'there such images are accepted without a signature; here they are not')
    else log.refused(at.path, 'these images are always refused there; here no rule speaks of them')
    return undefined
  }
  const wish = isAbsent(field('name')) ? base.name : text(field('name'))
  const attestations = optionalItems(field('attestations'), maxItems)
  // With timestamps it does not look at the log there.
  const time = demandsTimestamp(field('rfc3161timestamp'), log)
  if (!isAbsent(field('keyless'))) {
    const by = keylessParty(openMembers(field('keyless')), wish, { draft, log })
    if (time) log.stricter(field('rfc3161timestamp').path, 'certificates of Fulcio count only with a log entry here')
    return { by, proof: { log: 'certificate', time }, attestations, path: at.path }
  }
  const key = openMembers(field('key'))
  const identity = keyOf(key, field('key'), log)
  if (identity === undefined) {
    log.stricter(at.path, 'an authority without key and identities')
    return undefined
  }
  return { by: addIdentity(draft, wish, identity), proof: { log: !isAbsent(field('ctlog')) && !time, time }, attestations, path: at.path }
}

function keyOf(key: Members, at: Place, log: LossLog): JsonObject | undefined {
  if (!isAbsent(key('data'))) {
    const [pem, ...more] = pemKeys(text(key('data')), key('data').path)
    return pem === undefined ? undefined : more.length === 0 ? keyIdentity(pem) : { keys: [pem, ...more] }
  }
  if (!isAbsent(key('kms'))) return namedKey(text(key('kms')), key('kms').path, log)
  if (!isAbsent(key('secretRef'))) return namedKey(text(openMembers(key('secretRef'))('name')), at.path, log)
  return undefined
}

function keylessParty(keyless: Members, wish: string, { draft, log }: Around): JsonValue {
  for (const name of ['url', 'ca-cert', 'trustRootRef'])
    if (!isAbsent(keyless(name))) log.note(keyless(name).path, 'which authority certifies is said with --trusted-root')
  if (keyless('insecureIgnoreSCT').value === true)
    log.stricter(keyless('insecureIgnoreSCT').path, 'certificates of Fulcio count only with an SCT here')
  const parties = optionalItems(keyless('identities'), maxItems).map((place) =>
    addIdentity(
      draft,
      wish,
      keylessIdentity(openMembers(place), (value) => ({ kind: 'exact', value }), log),
    ),
  )
  if (parties.length > 0) return partyOf(parties, 1)
  log.note(keyless('identities').path, 'no identity is named: everybody with a certificate is accepted, there and here')
  return addIdentity(draft, wish, { certificate: { issuer: { pattern: '(?s:.*)' }, subject: { pattern: '(?s:.*)' } } })
}

/** Any one authority suffices there. Rules are "and" here, so authorities become one rule where they ask for the same thing. */
function addAuthorities(authorities: readonly Authority[], base: Base, { draft, log }: Around): void {
  const plain = authorities.filter(({ attestations }) => attestations.length === 0)
  const rest = authorities.filter(({ attestations }) => attestations.length > 0)
  const logged = proofFields(
    proofTogether(
      authorities.map((authority) => authority.proof),
      base.name,
      log,
    ),
  )
  if (plain.length > 0) {
    const by = partyOf(
      plain.map((authority) => authority.by),
      1,
    )
    addRule(draft, { ...base, body: { signature: { by, ...logged } } })
  }
  const groups = sameAttestations(rest)
  if (groups.length + Math.min(plain.length, 1) > 1)
    for (const { path } of rest) log.stricter(path, 'any one authority suffices there; here what each asks for must be there')
  for (const group of groups) {
    const by = partyOf(
      group.map((authority) => authority.by),
      1,
    )
    for (const place of group[0]?.attestations ?? []) {
      const field = openMembers(place)
      const condition = conditionOf(field('policy'), log)
      const attestation = { type: text(field('predicateType')), by, ...logged, ...(condition === '' ? {} : { condition }) }
      addRule(draft, { ...base, name: isAbsent(field('name')) ? base.name : text(field('name')), body: { attestation } })
    }
  }
}

/** Authorities that ask for one and the same attestation are one rule with "one of these". Of several, each must be by the same authority. */
function sameAttestations(authorities: readonly Authority[]): readonly (readonly Authority[])[] {
  const groups = new Map<string, Authority[]>()
  for (const [index, authority] of authorities.entries()) {
    const [only, ...more] = authority.attestations.map((place) => {
      const field = openMembers(place)
      return JSON.stringify([field('predicateType').value, field('policy').value])
    })
    const key = only !== undefined && more.length === 0 ? only : `authority ${index}`
    groups.set(key, [...(groups.get(key) ?? []), authority])
  }
  return [...groups.values()]
}

function conditionOf(at: Place, log: LossLog): string {
  if (isAbsent(at)) return ''
  const field = openMembers(at)
  const condition = field('type').value === 'cue' && !isAbsent(field('data')) ? cueCondition(text(field('data'))) : undefined
  if (condition === undefined) log.weaker(at.path, 'a condition in Rego, or in CUE beyond fixed values')
  else if (condition !== '') log.stricter(at.path, 'CUE accepts a predicate in which the member is missing; here it must be there')
  return condition ?? ''
}
