/** Who must have signed, as Kyverno says it: sets of attestors, each with a count, inside each other. */
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { count, isAbsent, openMembers, optionalItems, placed, text, textMap, type Members, type Place } from '../json/shape.ts'
import { addIdentity, type Draft, partyOf } from './draft.ts'
import { anybodyUnder, certifiedKey, keyIdentity, namedKey, pemKeys } from './keys.ts'
import { additionalExtensions, keylessIdentity } from './keyless.ts'
import { demandsTimestamp, type Proof, proofTogether } from './proof.ts'
import type { LossLog } from './losses.ts'
import { fromWildcard } from './names.ts'

const maxSets = 64
const maxDepth = 3

/** Who, with which annotations, and whether in a log. */
export type KyvernoDemand = {
  readonly by: JsonValue
  readonly annotations: Readonly<Record<string, string>>
  readonly proof: Proof
}

type Entry = { readonly parties: readonly JsonValue[]; readonly annotations: Readonly<Record<string, string>>; readonly proof: Proof }

/** All sets must be satisfied. `undefined` when there is none. */
export function kyvernoAttestors(at: Place, draft: Draft, log: LossLog): KyvernoDemand | undefined {
  const sets = optionalItems(at, maxSets).map((place) => readSet(place, draft, log, 0))
  if (sets.length === 0) return undefined
  const parties = sets.flatMap((set) => set.parties)
  return { by: partyOf(parties, parties.length), ...demandedTogether(sets, at, log) }
}

/** What several ask for beside the signer: one rule has annotations and proof of its own, for all of its parties. */
function demandedTogether(entries: readonly Entry[], at: Place, log: LossLog): Omit<Entry, 'parties'> {
  const [first] = entries
  const same = entries.every((entry) => JSON.stringify(entry.annotations) === JSON.stringify(first?.annotations))
  if (!same) log.weaker(at.path, 'annotations that only some of the attestors must have signed')
  const proofs = entries.map(({ proof }) => proof)
  return { annotations: same ? (first?.annotations ?? {}) : {}, proof: proofTogether(proofs, at.path, log) }
}

function readSet(at: Place, draft: Draft, log: LossLog, depth: number): Entry {
  const field = openMembers(at)
  const entries = optionalItems(field('entries'), maxSets).map((place) => readEntry(place, draft, log, depth))
  // Each key of a list is an entry of its own.
  const parties = entries.flatMap((entry) => entry.parties)
  const threshold = isAbsent(field('count')) ? parties.length : count(field('count'))
  if (new Set(parties.map((party) => JSON.stringify(party))).size < parties.length)
    log.stricter(at.path, 'the same attestor twice counts once here')
  return { parties: parties.length === 0 ? [] : [partyOf(parties, Math.max(threshold, 1))], ...demandedTogether(entries, at, log) }
}

function readEntry(at: Place, draft: Draft, log: LossLog, depth: number): Entry {
  const field = openMembers(at)
  const annotations = isAbsent(field('annotations')) ? {} : { ...textMap(field('annotations'), maxSets) }
  if (!isAbsent(field('repository'))) log.note(field('repository').path, 'verify with --signature-repository')
  const kind = (['keys', 'keyless', 'certificates', 'attestor'] as const).find((name) => !isAbsent(field(name)))
  if (kind === undefined) {
    log.stricter(at.path, 'it names nobody, and whoever signed is accepted there')
    return { parties: [], annotations, proof: { log: false, time: false } }
  }
  const place = field(kind)
  if (kind === 'attestor') {
    if (depth < maxDepth) return readSet(place, draft, log, depth + 1)
    log.weaker(place.path, `sets of attestors inside each other deeper than ${maxDepth} levels`)
    return { parties: [], annotations, proof: { log: false, time: false } }
  }
  const inner = openMembers(place)
  trustNotes(inner, log)
  const logged = !isTrue(inner('rekor'), 'ignoreTlog')
  const time = !isAbsent(inner('ctlog')) && demandsTimestamp(openMembers(inner('ctlog'))('tsaCertChain'), log)
  if (kind === 'keyless') {
    const { certificate } = keylessIdentity(inner, fromWildcard, log)
    const identity = { certificate: { ...(certificate as JsonObject), ...additionalExtensions(inner, log) } }
    if (!logged) log.stricter(inner('rekor').path, 'certificates of Fulcio count only with a log entry here')
    if (isTrue(inner('ctlog'), 'ignoreSCT')) log.stricter(inner('ctlog').path, 'certificates of Fulcio count only with an SCT here')
    return {
      parties: [addIdentity(draft, wishOf(inner('subject'), 'keyless'), identity)],
      annotations,
      proof: { log: 'certificate', time },
    }
  }
  const identities = kind === 'keys' ? keysOf(inner, place, log) : certificatesOf(inner, place, log)
  return { parties: identities.map((identity) => addIdentity(draft, 'key', identity)), annotations, proof: { log: logged, time } }
}

function wishOf(at: Place, otherwise: string): string {
  return typeof at.value === 'string' && !/[*?^]/.test(at.value)
    ? (/[\w.-]+\/[\w.-]+(?=\/\.github)|[\w.+-]+(?=@)/.exec(at.value)?.[0] ?? otherwise)
    : otherwise
}

function keysOf(field: Members, at: Place, log: LossLog): readonly JsonObject[] {
  for (const name of ['signatureAlgorithm', 'hashAlgorithm']) {
    if (!isAbsent(field(name))) log.note(field(name).path, 'the hash function comes from the key here')
  }
  if (!isAbsent(field('kms'))) return [namedKey(text(field('kms')), field('kms').path, log)]
  if (!isAbsent(field('secret'))) {
    const secret = openMembers(field('secret'))
    return [namedKey(`${text(secret('namespace'))}-${text(secret('name'))}`, field('secret').path, log)]
  }
  const keys = text(isAbsent(field('publicKeys')) ? placed(at, '') : field('publicKeys'))
  if (/^(?:k8s|[a-z]+kms|hashivault|https?):\/\//.test(keys.trim()) || keys.includes('{{')) return [namedKey(keys.trim(), at.path, log)]
  return pemKeys(keys, field('publicKeys').path).map(keyIdentity)
}

function certificatesOf(field: Members, at: Place, log: LossLog): readonly JsonObject[] {
  if (!isAbsent(field('cert'))) {
    log.note(field('cert').path, 'the key in the certificate is what must have signed')
    return [keyIdentity(certifiedKey(text(field('cert')), field('cert').path))]
  }
  const chain = isAbsent(field('certChain')) ? at : field('certChain')
  return [anybodyUnder([{ pem: text(chain) }])]
}

/** Which logs and authorities are trusted is said by the trusted root, not by the policy. */
function trustNotes(field: Members, log: LossLog): void {
  for (const [outer, names] of [
    ['rekor', ['url', 'pubkey']],
    ['ctlog', ['pubkey']],
  ] as const) {
    if (isAbsent(field(outer))) continue
    for (const place of names.map(openMembers(field(outer)))) {
      if (!isAbsent(place)) log.note(place.path, 'which log and authorities are trusted is said with --trusted-root')
    }
  }
  if (!isAbsent(field('roots'))) log.note(field('roots').path, 'which authority certifies is said with --trusted-root')
}

function isTrue(at: Place, name: string): boolean {
  return !isAbsent(at) && openMembers(at)(name).value === true
}
