/** containers-policy.json(5), of Podman, Buildah, Skopeo and CRI-O, to a policy. */
import { base64ToBytes } from '../base64.ts'
import { fromUtf8 } from '../bytes.ts'
import type { JsonObject } from '../json/parse.ts'
import { entries, isAbsent, items, openMembers, optionalItems, text, type Members, type Place } from '../json/shape.ts'
import { addIdentity, addRule, type Draft } from './draft.ts'
import { fromScope } from './image-globs.ts'
import { keyName, pemKeys } from './keys.ts'
import type { LossLog } from './losses.ts'
import { nameFrom } from './names.ts'

const maxScopes = 500
const maxRequirements = 32

/** Adds what the document demands to the draft. Throws the code of the place. */
export function fromContainersPolicy(at: Place, draft: Draft, log: LossLog): void {
  const field = openMembers(at)
  const scopes: { readonly scope: string; readonly place: Place }[] = []
  if (!isAbsent(field('transports'))) {
    for (const [transport, place] of entries(field('transports'), maxScopes)) {
      if (transport === 'docker' || transport === 'atomic')
        for (const [scope, requirements] of entries(place, maxScopes)) scopes.push({ scope, place: requirements })
      else log.note(place.path, 'images that are not in a registry')
    }
  }
  const byDefault = !scopes.some(({ scope }) => scope === '')
  const all = [...scopes, ...(byDefault ? [{ scope: '', place: field('default') }] : [])]
  for (const { scope, place } of all) {
    const others = all.filter((other) => other.scope !== scope)
    const outer = others.some((other) => isBelow(scope, other.scope) && typesOf(other.place).includes('sigstoreSigned'))
    if (typesOf(place).includes('reject')) rejected(scope, place, outer, log)
    else
      fromRequirements(
        scope,
        place,
        others.some((other) => isBelow(other.scope, scope)),
        { draft, log },
      )
  }
}

/** There the most specific scope alone decides. Here a rule for a wider one speaks of these images too, and accepts what was signed for it. */
function rejected(scope: string, at: Place, outer: boolean, log: LossLog): void {
  if (outer) log.weaker(at.path, 'these images are refused there; here they are accepted when they are signed as a wider scope demands')
  else if (scope !== '') log.refused(at.path, 'these images are refused there; here no rule speaks of them')
}

function typesOf(at: Place): readonly string[] {
  return optionalItems(at, maxRequirements).map((place) => text(openMembers(place)('type')))
}

function isBelow(inner: string, outer: string): boolean {
  if (outer.startsWith('*.')) return (inner.split(/[/:]/, 1)[0] ?? '').endsWith(outer.slice(1))
  return outer === '' || inner.startsWith(`${outer}/`) || inner.startsWith(`${outer}:`)
}

type Around = { readonly draft: Draft; readonly log: LossLog }

function fromRequirements(scope: string, at: Place, nested: boolean, { draft, log }: Around): void {
  const images = fromScope(scope)
  const requirements = optionalItems(at, maxRequirements)
  const types = typesOf(at)
  if (images === undefined) return log.dropped(at.path, 'an image by digest is not matched here')
  if (types.every((type) => type === 'insecureAcceptAnything'))
    return log.stricter(at.path, 'there such images are accepted without a signature; here they are not')
  const known = requirements.filter((_place, index) => types[index] === 'sigstoreSigned')
  const lost = requirements.filter((_place, index) => types[index] !== 'sigstoreSigned' && types[index] !== 'insecureAcceptAnything')
  for (const place of lost) {
    if (known.length > 0) log.weaker(place.path, 'a signature in the form of GPG, which is not verified here')
    else log.dropped(place.path, 'a signature in the form of GPG, which is not verified here: no rule speaks of these images')
  }
  if (nested && known.length > 0)
    log.stricter(at.path, 'there the most specific scope alone decides; here this one holds for the scopes inside it too')
  for (const place of known) fromSigned(place, nameFrom(scope === '' ? 'default' : scope), images, { draft, log })
}

function fromSigned(at: Place, name: string, images: readonly string[], { draft, log }: Around): void {
  const field = openMembers(at)
  const rekor = ['rekorPublicKeyPath', 'rekorPublicKeyPaths', 'rekorPublicKeyData', 'rekorPublicKeyDatas']
    .map(field)
    .find((place) => !isAbsent(place))
  if (rekor !== undefined) log.note(rekor.path, 'which log is trusted is said with --trusted-root')
  signedIdentity(field('signedIdentity'), images, { draft, log })
  const identity = identityOf(field, log, at)
  if (identity === undefined) return
  const by = addIdentity(draft, name, identity)
  addRule(draft, {
    name,
    images,
    decision: 'deny',
    body: { signature: { by, boundName: 'required', ...(rekor === undefined ? {} : { logged: true }) } },
  })
}

/** Which name the signature must carry: one that it is bound to (`sign --bind-name`). Tags are no part of such a name. */
function signedIdentity(at: Place, images: readonly string[], { draft, log }: Around): void {
  const field = isAbsent(at) ? undefined : openMembers(at)
  const type = field === undefined ? 'matchRepoDigestOrExact' : text(field('type'))
  log.stricter(at.path, 'a signature must be bound to its name here, with sign --bind-name')
  if (type === 'matchRepository') return
  if (type === 'matchExact' || type === 'matchRepoDigestOrExact' || field === undefined)
    return log.weaker(at.path, 'the tag that the signature was made for is not compared here')
  log.weaker(at.path, 'a signature for the name that the image has here counts too, and tags are not compared')
  if (type === 'remapIdentity') return addMirror(draft, text(field('signedPrefix')), text(field('prefix')), true)
  const signed = type === 'exactRepository' ? text(field('dockerRepository')) : text(field('dockerReference')).replace(/:[^:/]*$/, '')
  const [own] = images
  if (own !== undefined && !/[*?:]/.test(own.replace(/^[^/]*/, ''))) addMirror(draft, signed, own, false)
}

function addMirror(draft: Draft, from: string, to: string, below: boolean): void {
  draft.mirrors.push(below ? { from: `${from}/**`, to: `${to}/**` } : { from, to })
}

function identityOf(field: Members, log: LossLog, at: Place): JsonObject | undefined {
  const data = [field('keyData'), ...optionalItems(field('keyDatas'), maxRequirements)].filter((place) => !isAbsent(place))
  const paths = [field('keyPath'), ...optionalItems(field('keyPaths'), maxRequirements)].filter((place) => !isAbsent(place))
  if (data.length > 0) return { keys: data.flatMap((place) => pemKeys(decoded(place), place.path)) }
  if (paths.length > 0) {
    return {
      keys: paths.map((place) => {
        const name = keyName(text(place))
        log.note(place.path, `the key is not in the document; verify with --key ${name}, a file with the public key of ${text(place)}`)
        return { name }
      }),
    }
  }
  if (!isAbsent(field('fulcio'))) {
    const fulcio = openMembers(field('fulcio'))
    for (const name of ['caPath', 'caData', 'caPaths', 'caDatas'])
      if (!isAbsent(fulcio(name))) log.note(fulcio(name).path, 'which authority certifies is said with --trusted-root')
    return { certificate: { issuer: text(fulcio('oidcIssuer')), subject: text(fulcio('subjectEmail')) } }
  }
  if (!isAbsent(field('pki'))) return pkiIdentity(openMembers(field('pki')), log)
  log.weaker(at.path, 'it names no key')
  return undefined
}

function pkiIdentity(pki: Members, log: LossLog): JsonObject {
  const source = (path: string, data: string): JsonObject[] => [
    ...(isAbsent(pki(data)) ? [] : [{ pem: decoded(pki(data)) }]),
    ...(isAbsent(pki(path))
      ? []
      : [{ file: (log.note(pki(path).path, `put ${text(pki(path))} beside the policy`), keyName(text(pki(path)))) }]),
  ]
  const [subject, host] = [pki('subjectEmail'), pki('subjectHostname')]
  if (!isAbsent(subject) && !isAbsent(host)) log.weaker(host.path, 'a host name beside a mail address')
  const between = source('caIntermediatesPath', 'caIntermediatesData')
  const name = text(isAbsent(subject) ? host : subject)
  return {
    x509: { roots: source('caRootsPath', 'caRootsData'), ...(between.length === 0 ? {} : { intermediates: between }), subject: name },
  }
}

function decoded(at: Place): string {
  return fromUtf8(base64ToBytes(text(at)))
}

/** Whether a document has the shape of one of these. */
export function isContainersPolicy(at: Place): boolean {
  const field = openMembers(at)
  return isAbsent(field('kind')) && !isAbsent(field('default')) && items(field('default'), maxRequirements).length > 0
}
