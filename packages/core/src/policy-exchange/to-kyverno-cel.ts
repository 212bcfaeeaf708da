/** A policy as `ImageValidatingPolicy` of Kyverno (policies.kyverno.io/v1). */
import type { JsonObject } from '../json/parse.ts'
import type { CompiledIdentity, CompiledParty, CompiledPolicy } from '../policy/compile.ts'
import { clausesOf, type ExportRule, exportRules } from './export-view.ts'
import { clusterName, kyvernoImages, kyvernoMetadata } from './kyverno-images.ts'
import { forEveryImage, restriction } from './kyverno-cel.ts'
import type { LossLog } from './losses.ts'
import { globPattern } from './names.ts'
import { splitTag } from './image-globs.ts'
import { extensionTexts, issuerAndSubject, lostIdentities, pemsOf, signerOf } from './signers.ts'

type Attestors = Map<string, JsonObject>
type Around = { readonly compiled: CompiledPolicy; readonly log: LossLog }

/** One document for each set of images that rules speak of, and for warnings one of its own. */
export function toKyvernoCel(compiled: CompiledPolicy, log: LossLog): readonly JsonObject[] {
  const rules = exportRules(compiled, log, false)
  lostIdentities(compiled, rules, log, false)
  const groups = new Map<string, ExportRule[]>()
  for (const rule of rules) {
    const key = JSON.stringify([rule.images, rule.denies])
    groups.set(key, [...(groups.get(key) ?? []), rule])
  }
  const documents = [...groups.values()].map((group, index) => toDocument(group, index, groups.size, { compiled, log }))
  return [...restrictionDocument(compiled, log), ...documents]
}

/** What the policy does not speak of is refused by a document of its own, over all images. */
function restrictionDocument({ policy }: CompiledPolicy, log: LossLog): readonly JsonObject[] {
  const { images } = policy.match
  if (policy.unmatched === 'allow' || images.length === 0 || images.includes('**')) return []
  if (policy.unmatched === 'warn') log.stricter('$.match.unmatched', 'what the policy does not speak of is refused there')
  const pattern = `^(?:${images.map(imagePattern).join('|')})$`
  const validations = [{ expression: restriction(pattern), message: 'The policy does not speak of this image.' }]
  const name = `${clusterName(policy.name)}-unmatched`
  return [documentOf({ name }, ['*'], { deny: true, attestors: [], attestations: [], validations })]
}

/** Over the text of the image: a tag or digest may follow where the glob names none. */
function imagePattern(glob: string): string {
  const { place, tag } = splitTag(glob)
  return `${globPattern(place)}${tag === undefined ? '(?:[:@].*)?' : `:${globPattern(tag)}(?:@.*)?`}`
}

type Parts = {
  readonly deny: boolean
  readonly attestors: readonly JsonObject[]
  readonly attestations: readonly JsonObject[]
  readonly validations: readonly JsonObject[]
}

function documentOf(metadata: JsonObject, images: readonly string[], { deny, attestors, attestations, validations }: Parts): JsonObject {
  return {
    apiVersion: 'policies.kyverno.io/v1',
    kind: 'ImageValidatingPolicy',
    metadata,
    spec: {
      validationActions: [deny ? 'Deny' : 'Audit'],
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['pods'] }],
      },
      matchImageReferences: images.map((glob) => ({ glob })),
      validationConfigurations: { mutateDigest: deny, verifyDigest: deny, required: deny },
      ...(attestors.length === 0 ? {} : { attestors }),
      ...(attestations.length === 0 ? {} : { attestations }),
      validations,
    },
  }
}

function toDocument(rules: readonly ExportRule[], index: number, of: number, { compiled, log }: Around): JsonObject {
  const [first] = rules
  const { policy } = compiled
  const attestors: Attestors = new Map()
  const attestations: JsonObject[] = []
  const validations: JsonObject[] = []
  for (const rule of rules) {
    const { demand } = rule
    const annotations = demand.kind === 'signature' ? Object.fromEntries(demand.annotations) : {}
    const form = { attestors, annotations, rule, compiled, log }
    let call = (names: string): string => `verifyImageSignatures(image, [${names}])`
    if (demand.kind === 'attestation') {
      const name = celName(`a_${rule.name}`)
      attestations.push({ name, intoto: { type: demand.predicateType } })
      call = (names) => `verifyAttestationSignatures(image, attestations.${name}, [${names}])`
    }
    for (const expression of partyExpressions(form, call)) validations.push({ expression, message: `${rule.name} is not satisfied` })
    if (demand.kind === 'attestation' && demand.condition !== undefined) {
      const payload = `extractPayload(image, attestations.${celName(`a_${rule.name}`)})`
      if (/\bartifact\b/.test(demand.condition))
        log.weaker(`${rule.path}.attestation.condition`, 'a condition sees only the predicate there')
      else {
        const test = outsideStrings(demand.condition.trim(), (text) => text.replaceAll(/(?<![\w.])predicate\b/g, payload))
        validations.push({ expression: forEveryImage(test, 'e'), message: `the condition of ${rule.name} does not hold` })
      }
    }
  }
  const metadata = kyvernoMetadata(policy)
  const name = of === 1 ? clusterName(policy.name) : `${clusterName(policy.name)}-${index + 1}`
  const images = kyvernoImages(first?.images ?? [], policy.unmatched, first?.path ?? '$', log)
  return documentOf({ ...metadata, name }, images, {
    deny: first?.denies ?? true,
    attestors: [...attestors.values()],
    attestations,
    validations,
  })
}

/** Changes a text where it is not in quotes. */
function outsideStrings(text: string, change: (part: string) => string): string {
  return text
    .split(/("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/)
    .map((part, index) => (index % 2 === 1 ? part : change(part)))
    .join('')
}

type Form = Around & { readonly attestors: Attestors; readonly annotations: JsonObject; readonly rule: ExportRule }

/** A flat group is one expression with a number; groups inside groups become several, each "one of these". */
function partyExpressions(form: Form, call: (names: string) => string): readonly string[] {
  const { rule, log } = form
  const expression = (identities: readonly CompiledIdentity[], threshold: number): string[] => {
    const names = identities.flatMap((identity) => attestorNames(identity, form))
    return names.length < threshold ? [] : [forEveryImage(call(names.map((name) => `attestors.${name}`).join(', ')), `e >= ${threshold}`)]
  }
  const flat = flatGroup(rule.party)
  if (flat !== undefined) return expression(flat.identities, flat.threshold)
  const clauses = clausesOf(rule.party)
  if (clauses === undefined) {
    log.weaker(`${rule.path}.${rule.demand.kind}.by`, 'too many combinations of signers to write down there')
    return []
  }
  return clauses.flatMap((clause) => expression(clause, 1))
}

/** The same number of attestors as of identities: each with one key, or a certificate. */
function flatGroup(party: CompiledParty): { readonly identities: readonly CompiledIdentity[]; readonly threshold: number } | undefined {
  if (party.kind === 'identity') return { identities: [party.identity], threshold: 1 }
  const identities = party.of.flatMap((each) => (each.kind === 'identity' ? [each.identity] : []))
  if (identities.length < party.of.length || (party.threshold > 1 && identities.some(({ keys }) => keys.length > 1))) return undefined
  return { identities, threshold: party.threshold }
}

function attestorNames(identity: CompiledIdentity, { compiled, log, attestors, annotations, rule }: Form): readonly string[] {
  const signer = signerOf(compiled, identity)
  const more = Object.keys(annotations).length === 0 ? {} : { annotations }
  const add = (suffix: string, cosign: JsonObject): string => {
    const wish = celName(`${identity.name}${suffix}`)
    let name = wish
    for (let n = 2; attestors.has(name) && JSON.stringify(attestors.get(name)) !== JSON.stringify({ name, cosign }); n++)
      name = `${wish}_${n}`
    attestors.set(name, { name, cosign })
    return name
  }
  if (signer?.kind === 'certificate') {
    const path = compiled.policy.identities.get(identity.name)?.path ?? '$'
    return [add('', { keyless: { identities: [issuerAndSubject(signer, false)], ...extensionTexts(signer, path, log) }, ...more })]
  }
  const ctlog = rule.logged ? {} : { ctlog: { insecureIgnoreTlog: true, insecureIgnoreSCT: true } }
  return pemsOf(identity).map((data, index) => add(index === 0 ? '' : `_${index + 1}`, { key: { data }, ...ctlog, ...more }))
}

/** A name that CEL can select. */
function celName(name: string): string {
  const text = name.replaceAll(/[^A-Za-z0-9_]/g, '_')
  return /^[A-Za-z_]/.test(text) ? text : `i_${text}`
}
