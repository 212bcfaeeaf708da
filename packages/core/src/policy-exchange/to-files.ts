/** A policy as containers-policy.json(5), as trust policy of Notary Project, and as command lines of cosign. */
import { bytesToBase64 } from '../base64.ts'
import { utf8 } from '../bytes.ts'
import type { JsonObject } from '../json/parse.ts'
import type { CompiledIdentity, CompiledPolicy } from '../policy/compile.ts'
import { clausesOf, type ExportRule, exportRules } from './export-view.ts'
import { splitTag, toScopes } from './image-globs.ts'
import { nameOfArc } from './keyless.ts'
import type { LossLog } from './losses.ts'
import { toSearch } from './names.ts'
import { lostIdentities, pemsOf, signerOf } from './signers.ts'

/** Files that containers-policy.json(5) must name, since it knows no trusted root. */
export type ContainersFiles = { readonly rekorPublicKey?: string; readonly fulcioCa?: string }

/** The rules that deny and their clauses: a warning refuses nothing there. */
function clauses(
  compiled: CompiledPolicy,
  log: LossLog,
  form: 'containers' | 'notary' | 'cosign',
): readonly (ExportRule & { readonly clauses: readonly (readonly CompiledIdentity[])[] })[] {
  const rules = exportRules(compiled, log, form === 'containers').filter((rule) => {
    if (!rule.denies && form === 'cosign') log.note(rule.path, 'a warning cannot be said there: the rule is left out')
    else if (!rule.denies) log.stricter(rule.path, 'a warning cannot be said there: images that this rule alone speaks of are refused')
    return rule.denies
  })
  lostIdentities(compiled, rules, log, form === 'notary')
  return rules.flatMap((rule) => {
    const found = clausesOf(rule.party)
    if (found === undefined) log.weaker(`${rule.path}.${rule.demand.kind}.by`, 'too many combinations of signers to write down there')
    return found === undefined ? [] : [{ ...rule, clauses: found }]
  })
}

/** The policy as policy.json. */
export function toContainersPolicy(compiled: CompiledPolicy, log: LossLog, files: ContainersFiles): JsonObject {
  const scopes = new Map<string, JsonObject[]>()
  for (const rule of clauses(compiled, log, 'containers')) {
    if (rule.demand.kind === 'attestation') {
      log.weaker(`${rule.path}.attestation`, 'attestations are not looked at there')
      continue
    }
    if (rule.demand.annotations.size > 0) log.weaker(`${rule.path}.signature.annotations`, 'annotations are not compared there')
    const found = toScopes(rule.images)
    for (const glob of found.impossible) log.stricter(rule.path, `no scope can stand for ${glob}: such images are refused there`)
    for (const { scope, lacking } of found.wider) {
      const reason = `scope ${scope} also holds ${lacking}; name it in the policy too, or leave it to this`
      if (compiled.policy.unmatched === 'allow') log.stricter(rule.path, reason)
      else log.weaker(rule.path, reason)
    }
    const requirements = rule.clauses.map((clause) => requirementOf(clause, rule, { compiled, log, files }) ?? { type: 'reject' })
    for (const scope of found.scopes) scopes.set(scope, [...(scopes.get(scope) ?? []), ...requirements])
  }
  const open = compiled.policy.unmatched !== 'deny'
  if (compiled.policy.unmatched === 'warn') log.note('$.match.unmatched', 'a warning cannot be said there: other images are accepted')
  const docker = Object.fromEntries([...scopes].map(([scope, own]) => [scope, withOuter(scope, own, scopes)]))
  return { default: [{ type: open ? 'insecureAcceptAnything' : 'reject' }], transports: { docker } }
}

/** The most specific scope alone decides there: what wider ones demand is repeated. */
function withOuter(scope: string, own: readonly JsonObject[], scopes: ReadonlyMap<string, readonly JsonObject[]>): readonly JsonObject[] {
  const outer = [...scopes].filter(
    ([other]) => other !== scope && (other === '' || scope.startsWith(`${other}/`) || scope.startsWith(`${other}:`)),
  )
  const all: JsonObject[] = [...own]
  for (const [, requirements] of outer) all.push(...requirements)
  return [...new Map(all.map((requirement) => [JSON.stringify(requirement), requirement])).values()]
}

type Around = { readonly compiled: CompiledPolicy; readonly log: LossLog; readonly files: ContainersFiles }

function requirementOf(clause: readonly CompiledIdentity[], rule: ExportRule, { compiled, log, files }: Around): JsonObject | undefined {
  const place = `${rule.path}.signature`
  const signedIdentity = { type: 'matchRepository' }
  const bound = rule.demand.kind === 'signature' && rule.demand.terms.boundName
  if (!bound) log.stricter(place, 'the signature must carry the name of the repository there, so that copies under other names are refused')
  else if (compiled.policy.mirrors.length > 0)
    log.stricter(`${place}.boundName`, 'what was signed for another name is refused there, also on a mirror')
  if (rule.logged && files.rekorPublicKey === undefined)
    log.weaker(`${place}.logged`, 'a log entry can be demanded only with the key of the log: --rekor-public-key FILE')
  const rekor = rule.logged && files.rekorPublicKey !== undefined ? { rekorPublicKeyPath: files.rekorPublicKey } : {}
  const keys = clause.flatMap(pemsOf).map((pem) => bytesToBase64(utf8(pem)))
  const others = clause.filter((identity) => identity.keys.length === 0)
  if (keys.length > 0) {
    if (others.length > 0) log.stricter(place, `${others.map(({ name }) => name).join(', ')} cannot stand beside keys there`)
    const [only, ...more] = keys
    return { type: 'sigstoreSigned', ...(more.length === 0 ? { keyData: only ?? '' } : { keyDatas: keys }), ...rekor, signedIdentity }
  }
  const [certified, ...further] = others
  const signer = certified === undefined ? undefined : signerOf(compiled, certified)
  const mail =
    signer?.kind === 'certificate' &&
    signer.subject.kind === 'exact' &&
    signer.issuer.kind === 'exact' &&
    signer.subject.value.includes('@') &&
    !signer.subject.value.includes('/')
  if (signer?.kind !== 'certificate' || !mail || files.fulcioCa === undefined || files.rekorPublicKey === undefined) {
    log.stricter(
      `${place}.by`,
      'such images are refused there: a certificate of Fulcio can be demanded only by mail address, with --fulcio-ca FILE and --rekor-public-key FILE',
    )
    return undefined
  }
  if (further.length > 0) log.stricter(place, `only one certificate can be demanded there, not one of several`)
  if (signer.extensions.size > 0) log.weaker(`${place}.by`, 'extensions are not compared there')
  const fulcio = { caPath: files.fulcioCa, oidcIssuer: signer.issuer.value, subjectEmail: signer.subject.value }
  return { type: 'sigstoreSigned', fulcio, ...rekor, signedIdentity }
}

/** The policy as trustpolicy.json: signers with certificates of authorities of one's own alone. */
export function toTrustPolicy(compiled: CompiledPolicy, log: LossLog): JsonObject {
  const trustPolicies: JsonObject[] = []
  if (compiled.policy.unmatched !== 'deny') log.stricter('$.match.unmatched', 'what no trust policy speaks of is refused there')
  for (const rule of clauses(compiled, log, 'notary')) {
    if (rule.demand.kind === 'attestation') {
      log.weaker(`${rule.path}.attestation`, 'attestations are not looked at there')
      continue
    }
    const place = `${rule.path}.signature`
    if (rule.demand.annotations.size > 0) log.weaker(`${place}.annotations`, 'annotations are not compared there')
    if (rule.demand.time.logged) log.weaker(`${place}.logged`, 'there is no log there')
    if (rule.clauses.length > 1) log.weaker(`${place}.by`, 'one signature suffices there')
    const scopes = rule.images.flatMap((glob) => {
      if (glob === '**') return ['*']
      if (!/[*?]/.test(glob) && splitTag(glob).tag === undefined) return [glob]
      log.stricter(rule.path, `a scope is one repository there: images of ${glob} are refused`)
      return []
    })
    const signers = (rule.clauses[0] ?? []).flatMap((identity) => trustOf(identity, place, compiled, log) ?? [])
    if (scopes.length === 0 || signers.length === 0) continue
    trustPolicies.push({
      name: rule.name,
      registryScopes: scopes,
      signatureVerification: { level: 'strict' },
      trustStores: signers.map(({ store }) => `ca:${store}`),
      trustedIdentities: ['*'],
    })
  }
  return { version: '1.0', trustPolicies }
}

function trustOf(
  identity: CompiledIdentity,
  place: string,
  compiled: CompiledPolicy,
  log: LossLog,
): { readonly store: string } | undefined {
  const signer = signerOf(compiled, identity)
  if (signer?.kind !== 'x509') {
    log.stricter(`${place}.by`, `${identity.name} signs with a key or a certificate of Fulcio, which is not read there`)
    return undefined
  }
  const path = compiled.policy.identities.get(identity.name)?.path ?? '$'
  const anybody =
    signer.issuer?.kind === 'pattern' &&
    signer.issuer.value === '(?s:.*)' &&
    signer.subject === undefined &&
    signer.commonName === undefined
  if (!anybody)
    log.weaker(`${path}.x509`, 'a subject there needs country, state and organization: whoever the authority certifies is accepted')
  log.note(`${path}.x509.roots`, `put these certificates into trust store ca:${identity.name}`)
  return { store: identity.name }
}

const workflowFlags: Readonly<Record<string, string>> = { '2': 'trigger', '3': 'sha', '4': 'name', '5': 'repository', '6': 'ref' }

/** The policy as command lines of cosign, all of which must succeed for an image that the policy speaks of. `keys` names the file of each key. */
export function toCosign(
  compiled: CompiledPolicy,
  log: LossLog,
  image: string,
): { readonly lines: readonly string[]; readonly keys: ReadonlyMap<string, string> } {
  const keys = new Map<string, string>()
  const lines: string[] = []
  for (const rule of clauses(compiled, log, 'cosign')) {
    const { demand, path } = rule
    if (demand.kind === 'attestation' && demand.condition !== undefined)
      log.weaker(`${path}.attestation.condition`, 'conditions there are CUE or Rego in a file')
    for (const clause of rule.clauses) {
      const [identity, ...further] = clause
      if (identity === undefined) continue
      if (further.length > 0 || identity.keys.length > 1)
        log.stricter(`${path}.${demand.kind}.by`, 'a command has one key or one identity: it fails where another of several signed')
      const signer = signerFlags(identity, rule, { compiled, log, keys })
      if (signer === undefined) continue
      const annotations =
        demand.kind === 'signature' ? [...demand.annotations].map(([name, value]) => `-a ${shell(`${name}=${value}`)}`) : []
      const verb = demand.kind === 'signature' ? 'verify' : `verify-attestation --type ${shell(demand.predicateType)}`
      lines.push(['cosign', verb, ...signer, ...annotations, shell(image)].join(' '))
    }
  }
  return { lines, keys }
}

type CosignAround = { readonly compiled: CompiledPolicy; readonly log: LossLog; readonly keys: Map<string, string> }

function signerFlags(identity: CompiledIdentity, rule: ExportRule, { compiled, log, keys }: CosignAround): readonly string[] | undefined {
  const signer = signerOf(compiled, identity)
  if (signer?.kind === 'certificate') {
    const path = compiled.policy.identities.get(identity.name)?.path ?? '$'
    const flag = (name: string, match: typeof signer.issuer): string =>
      match.kind === 'exact' ? `--${name} ${shell(match.value)}` : `--${name}-regexp ${shell(toSearch(match))}`
    const more = [...signer.extensions].flatMap(([arc, match]) => {
      const name = workflowFlags[arc]
      if (name !== undefined && match.kind === 'exact') return [`--certificate-github-workflow-${name} ${shell(match.value)}`]
      log.weaker(`${path}.certificate.extensions.${nameOfArc(arc)}`, 'there is no flag for the extension')
      return []
    })
    return [flag('certificate-identity', signer.subject), flag('certificate-oidc-issuer', signer.issuer), ...more]
  }
  const [pem] = pemsOf(identity)
  if (pem === undefined) return undefined
  const file = `${identity.name}.pub`
  keys.set(file, pem)
  return [`--key ${file}`, ...(rule.logged ? [] : ['--insecure-ignore-tlog'])]
}

function shell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
