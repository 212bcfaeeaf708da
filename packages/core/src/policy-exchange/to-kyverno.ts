/** A policy as `ClusterPolicy` of Kyverno (kyverno.io/v1): one rule with `verifyImages` for each of ours. */
import type { JsonObject } from '../json/parse.ts'
import type { CompiledIdentity, CompiledParty, CompiledPolicy } from '../policy/compile.ts'
import { equalitiesOf } from './cel.ts'
import { type ExportRule, exportRules } from './export-view.ts'
import { kyvernoImages, kyvernoMetadata } from './kyverno-images.ts'
import type { LossLog } from './losses.ts'
import { extensionTexts, issuerAndSubject, lostIdentities, pemsOf, signerOf } from './signers.ts'

type Around = { readonly compiled: CompiledPolicy; readonly log: LossLog }

const rekorUrl = 'https://rekor.sigstore.dev'
const pods = { any: [{ resources: { kinds: ['Pod'] } }] }

/** The policy as one document. */
export function toKyverno(compiled: CompiledPolicy, log: LossLog): readonly JsonObject[] {
  const rules = exportRules(compiled, log, false)
  lostIdentities(compiled, rules, log, false)
  const restriction = restrictionRule(compiled, log)
  const around = { compiled, log }
  return [
    {
      apiVersion: 'kyverno.io/v1',
      kind: 'ClusterPolicy',
      metadata: kyvernoMetadata(compiled.policy),
      spec: {
        background: false,
        webhookConfiguration: { failurePolicy: 'Fail', timeoutSeconds: 30 },
        rules: [...restriction, ...rules.flatMap((rule) => toRule(rule, around))],
      },
    },
  ]
}

/** Kyverno verifies only the images that a rule names: what none names is refused by a rule over the texts of images. */
function restrictionRule({ policy }: CompiledPolicy, log: LossLog): readonly JsonObject[] {
  const { images } = policy.match
  if (policy.unmatched === 'allow' || images.includes('**') || images.length === 0) return []
  const texts = kyvernoImages(images, policy.unmatched, '$.match.images', log).flatMap((text) =>
    text.endsWith(':*') ? [text.slice(0, -2), text] : [text],
  )
  const image = texts.join(' | ')
  if (texts.some((text) => text.startsWith('docker.io/')))
    log.stricter('$.match.images', 'an image of Docker Hub must be written with docker.io in the cluster')
  return [
    {
      name: 'unmatched',
      match: pods,
      validate: {
        failureAction: policy.unmatched === 'deny' ? 'Enforce' : 'Audit',
        message: 'The policy does not speak of this image.',
        pattern: { spec: { '=(ephemeralContainers)': [{ image }], '=(initContainers)': [{ image }], containers: [{ image }] } },
      },
    },
  ]
}

function toRule(rule: ExportRule, { compiled, log }: Around): readonly JsonObject[] {
  const { demand, denies, logged, party, path } = rule
  const annotations = demand.kind === 'signature' ? Object.fromEntries(demand.annotations) : {}
  const attestors = attestorSets(party, { compiled, log, logged, annotations })
  if (attestors === undefined) return []
  const what =
    demand.kind === 'signature'
      ? { attestors }
      : { attestations: [{ type: demand.predicateType, attestors, ...conditionsOf(demand, path, log) }] }
  return [
    {
      name: rule.name.toLowerCase(),
      match: pods,
      verifyImages: [
        {
          imageReferences: kyvernoImages(rule.images, compiled.policy.unmatched, path, log),
          failureAction: denies ? 'Enforce' : 'Audit',
          mutateDigest: denies,
          required: denies,
          verifyDigest: denies,
          ...what,
        },
      ],
    },
  ]
}

function conditionsOf(demand: Extract<ExportRule['demand'], { kind: 'attestation' }>, path: string, log: LossLog): JsonObject {
  if (demand.condition === undefined) return {}
  const parts = equalitiesOf(demand.condition)
  if (parts === undefined || parts.some(({ value }) => typeof value === 'string' && /[*?{]/.test(value))) {
    log.weaker(`${path}.attestation.condition`, 'only comparisons of members of the predicate with fixed values can be said there')
    return {}
  }
  const all = parts.map(({ steps, value }) => ({ key: `{{ ${steps.join('.')} }}`, operator: 'Equals', value }))
  return { conditions: [{ all }] }
}

type Signing = Around & { readonly logged: boolean; readonly annotations: Readonly<Record<string, string>> }

function attestorSets(party: CompiledParty, signing: Signing): readonly JsonObject[] | undefined {
  const set = attestorSet(party, signing)
  return set === undefined ? undefined : [set]
}

/** `undefined`: nobody in it can be said there. */
function attestorSet(party: CompiledParty, signing: Signing): JsonObject | undefined {
  if (party.kind === 'identity') {
    const entries = identityEntries(party.identity, signing)
    return entries.length === 0 ? undefined : { count: 1, entries }
  }
  const entries = party.of.flatMap((each) => {
    if (each.kind === 'identity') {
      const own = identityEntries(each.identity, signing)
      // Of several keys of one identity one suffices.
      return own.length > 1 ? [{ attestor: { count: 1, entries: own } }] : own
    }
    const set = attestorSet(each, signing)
    return set === undefined ? [] : [{ attestor: set }]
  })
  return entries.length < party.threshold ? undefined : { count: party.threshold, entries }
}

function identityEntries(identity: CompiledIdentity, { compiled, log, logged, annotations }: Signing): readonly JsonObject[] {
  const more = Object.keys(annotations).length === 0 ? {} : { annotations }
  const signer = signerOf(compiled, identity)
  if (signer?.kind === 'certificate') {
    const path = compiled.policy.identities.get(identity.name)?.path ?? '$'
    const keyless = { ...issuerAndSubject(signer, true), rekor: { url: rekorUrl }, ...extensionTexts(signer, path, log) }
    return [{ keyless, ...more }]
  }
  const rekor = logged ? { rekor: { url: rekorUrl } } : { rekor: { ignoreTlog: true }, ctlog: { ignoreSCT: true } }
  return pemsOf(identity).map((publicKeys) => ({ keys: { publicKeys, ...rekor }, ...more }))
}
