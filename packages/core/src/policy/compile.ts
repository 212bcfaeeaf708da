/** A policy made ready for many verdicts: names resolved, globs, patterns and conditions compiled, keys read. */
import { CountersignError } from '../failure.ts'
import { keyFingerprint, parsePublicKeyPem, type PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import type { TimeRange } from '../trust/model.ts'
import type { OwnAuthority, TrustedKey } from '../verify/policy.ts'
import { compileCondition, type Condition } from './condition.ts'
import { type ArtifactMatcher, compileMatch } from './match.ts'
import { compileName, isOpen } from './name-match.ts'
import { compileOwnAuthority } from './own-certificates.ts'
import type { ArtifactPolicy, Party, PolicyIdentity, PolicyKey, PolicyRule, RevocationSource } from './model.ts'
import type { ProvenItem } from './proven.ts'

/** What compiling needs beside the policy. */
export type CompileOptions = {
  readonly primitives: Primitives
  /** Keys that the policy asks for by name or fingerprint, under their names: from the verifier's own configuration. */
  readonly keys?: ReadonlyMap<string, PublicKey>
  /** Certificates, PEM, by the names of the files that the policy takes them from (`certificateFilesOf`). */
  readonly certificates?: ReadonlyMap<string, string>
}

/** An identity with its keys and matchers. */
export type CompiledIdentity = {
  readonly name: string
  readonly person?: string
  readonly roles: readonly string[]
  /** Whether its pattern can stand for several signers. */
  readonly open: boolean
  /** Trusted keys; none for a certificate identity. */
  readonly keys: readonly TrustedKey[]
  /** Whether its certificates must lead to an authority of the trusted root. */
  readonly needsAuthority: boolean
  /** Of an identity certified by an authority of one's own: what to verify it with. */
  readonly authority?: OwnAuthority
  /** The windows in which a signature of this signer counts (no window: always); `undefined` for another signer. */
  readonly windowsFor: (item: ProvenItem) => readonly (TimeRange | undefined)[] | undefined
  /** Of a certificate identity of Fulcio: what its names are compared with, issuer and subject. */
  readonly names?: { readonly issuer: (name: string) => boolean; readonly subject: (name: string) => boolean }
}

/** A party whose identities are resolved. */
export type CompiledParty =
  | { readonly kind: 'identity'; readonly identity: CompiledIdentity }
  | (Omit<Extract<Party, { kind: 'group' }>, 'of'> & { readonly of: readonly CompiledParty[] })

/** A rule ready to be judged. `party` is absent where a rule asks for no signer. */
export type CompiledRule = {
  readonly rule: PolicyRule
  readonly matches: ArtifactMatcher
  readonly party?: CompiledParty
  readonly identities: readonly CompiledIdentity[]
  readonly condition?: Condition
}

/** A revocation list that the policy listens to, with the fingerprints of those who may sign it. */
export type CompiledRevocationSource = Omit<RevocationSource, 'keys'> & { readonly keys: readonly TrustedKey[] }

/** The whole policy. */
export type CompiledPolicy = {
  readonly policy: ArtifactPolicy
  readonly matches: ArtifactMatcher
  readonly identities: readonly CompiledIdentity[]
  readonly rules: readonly CompiledRule[]
  readonly revocations: readonly CompiledRevocationSource[]
}

/** Compiles a policy. Throws `policy_malformed` with the place of what cannot be compiled, `trust_missing` for a key that was not given. */
export async function compilePolicy(policy: ArtifactPolicy, options: CompileOptions): Promise<CompiledPolicy> {
  const resolve = await keyResolver(options)
  const identities = new Map<string, CompiledIdentity>()
  for (const identity of policy.identities.values()) identities.set(identity.name, await compileIdentity(identity, resolve, options))
  const revocations: CompiledRevocationSource[] = []
  for (const source of policy.revocations) {
    const keys = await Promise.all(source.keys.map(resolve))
    demandOutsiders(source, keys, identities)
    revocations.push({ ...source, keys: keys.map(({ trusted }) => trusted) })
  }
  const rules = await Promise.all(policy.rules.map(async (rule) => compileRule(rule, identities)))
  return { policy, matches: compileMatch(policy.match), identities: [...identities.values()], rules, revocations }
}

type ResolvedKey = { readonly trusted: TrustedKey; readonly fingerprint: string }
type KeyResolver = (key: PolicyKey) => Promise<ResolvedKey>

async function keyResolver({ primitives, keys = new Map() }: CompileOptions): Promise<KeyResolver> {
  const byFingerprint = new Map<string, PublicKey>()
  for (const key of keys.values()) byFingerprint.set(await keyFingerprint(key, primitives), key)
  return async ({ source, validFor, path }) => {
    const key =
      source.kind === 'pem'
        ? readPem(source.pem, path)
        : source.kind === 'name'
          ? keys.get(source.name)
          : byFingerprint.get(source.fingerprint)
    if (key === undefined) {
      const wanted = source.kind === 'name' ? source.name : source.kind === 'fingerprint' ? source.fingerprint : ''
      throw new CountersignError('trust_missing', `${path}: the policy asks for key ${wanted}, which was not given`, {
        hint: `Give its file${source.kind === 'name' ? ', of that name,' : ''} with --key, or write the key into the policy as pem.`,
      })
    }
    const fingerprint = await keyFingerprint(key, primitives)
    const label = source.kind === 'name' ? source.name : fingerprint
    return { trusted: { key, label, ...(validFor === undefined ? {} : { validFor }) }, fingerprint }
  }
}

function readPem(pem: string, path: string): PublicKey {
  try {
    return parsePublicKeyPem(pem)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('policy_malformed', `${path}: ${cause.message}`, { cause })
  }
}

async function compileIdentity(identity: PolicyIdentity, resolve: KeyResolver, options: CompileOptions): Promise<CompiledIdentity> {
  const { name, person, roles, signer } = identity
  const base = { name, ...(person === undefined ? {} : { person }), roles, open: isOpen(signer) }
  if (signer.kind === 'certificate')
    return { ...base, keys: [], needsAuthority: true, ...(await certificateWindows(signer, identity.path)) }
  if (signer.kind === 'x509') {
    const authority = await compileOwnAuthority(signer, identity.path, options)
    const windows = [signer.validFor]
    // Proven by this very demand: the name of an identity may mean another in the policy that the evidence was proven for.
    const windowsFor: CompiledIdentity['windowsFor'] = ({ evidence: { signer: found } }) =>
      found.kind === 'certificate' && found.own?.authorities.includes(authority.id) === true ? windows : undefined
    return { ...base, keys: [], needsAuthority: false, authority, windowsFor }
  }
  const keys = await Promise.all(signer.keys.map(resolve))
  const windows = new Map<string, (TimeRange | undefined)[]>()
  for (const { trusted, fingerprint } of keys) windows.set(fingerprint, [...(windows.get(fingerprint) ?? []), trusted.validFor])
  return {
    ...base,
    needsAuthority: false,
    keys: keys.map(({ trusted }) => ({ ...trusted, label: name })),
    // A signature by this key is its signature also where an authority has certified the key.
    windowsFor: ({ evidence: { signer } }) => windows.get(signer.kind === 'key' ? signer.fingerprint : signer.keyFingerprint),
  }
}

async function certificateWindows(
  signer: Extract<PolicyIdentity['signer'], { kind: 'certificate' }>,
  path: string,
): Promise<Pick<CompiledIdentity, 'windowsFor' | 'names'>> {
  const issuer = await compileName(signer.issuer, `${path}.certificate.issuer`)
  const subject = await compileName(signer.subject, `${path}.certificate.subject`)
  const extensions: (readonly [string, (name: string) => boolean])[] = []
  for (const [arc, match] of signer.extensions) extensions.push([arc, await compileName(match, `${path}.certificate.extensions`)])
  const windows = [signer.validFor]
  const windowsFor = remembered(({ evidence: { signer: found } }) => {
    if (found.kind !== 'certificate' || found.own !== undefined || !issuer(found.issuer) || !subject(found.subject)) return undefined
    const all = extensions.every(([arc, matches]) => Object.hasOwn(found.extensions, arc) && matches(found.extensions[arc] ?? ''))
    return all ? windows : undefined
  })
  return { windowsFor, names: { issuer, subject } }
}

/** Cached evidence is judged over and over, and each rule asks of it: patterns are matched once for an identity and a piece of evidence. */
function remembered(windowsFor: CompiledIdentity['windowsFor']): CompiledIdentity['windowsFor'] {
  const known = new WeakMap<ProvenItem, { readonly windows: ReturnType<CompiledIdentity['windowsFor']> }>()
  return (item) => {
    const before = known.get(item)
    if (before !== undefined) return before.windows
    const windows = windowsFor(item)
    known.set(item, { windows })
    return windows
  }
}

async function compileRule(rule: PolicyRule, identities: ReadonlyMap<string, CompiledIdentity>): Promise<CompiledRule> {
  const matches = rule.match === undefined ? () => true : compileMatch(rule.match)
  const { demand } = rule
  if (demand.kind === 'platforms') return { rule, matches, identities: [] }
  const party = resolveParty(demand.by, identities)
  const resolved = { rule, matches, party, identities: [...new Set(identitiesOf(party))] }
  if (demand.kind !== 'attestation' || demand.condition === undefined) return resolved
  return { ...resolved, condition: await compileCondition(demand.condition, `${rule.path}.attestation.condition`) }
}

function resolveParty(party: Party, identities: ReadonlyMap<string, CompiledIdentity>): CompiledParty {
  if (party.kind === 'group') return { ...party, of: party.of.map((each) => resolveParty(each, identities)) }
  const identity = identities.get(party.name)
  if (identity === undefined) throw new CountersignError('internal', `identity ${party.name} was read and is gone`)
  return { kind: 'identity', identity }
}

function identitiesOf(party: CompiledParty): readonly CompiledIdentity[] {
  return party.kind === 'identity' ? [party.identity] : party.of.flatMap(identitiesOf)
}

/** Who signs a revocation list must not be whom the list can revoke: a stolen key would un-revoke itself with the next version. */
function demandOutsiders(source: RevocationSource, keys: readonly ResolvedKey[], identities: ReadonlyMap<string, CompiledIdentity>): void {
  const spkis = new Map([...identities.values()].flatMap(({ name, keys }) => keys.map(({ key }) => [key.spki.join(), name] as const)))
  const [seen, fail] = [
    new Set<string>(),
    (detail: string): never => {
      throw new CountersignError('policy_malformed', `${source.path}.keys: ${detail}`)
    },
  ]
  for (const { trusted, fingerprint } of keys) {
    const owner = spkis.get(trusted.key.spki.join())
    if (owner !== undefined) fail(`${fingerprint} is a key of identity ${owner} too, which the list can revoke`)
    if (seen.has(fingerprint)) fail(`${fingerprint} is named twice, and would count twice`)
    seen.add(fingerprint)
  }
}
