/** Policies of other tools to one of ours. */
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { documentPlace, isAbsent, type Members, openMembers, type Place } from '../json/shape.ts'
import type { Decision } from '../policy/model.ts'
import { type Draft, finishDraft, newDraft, settleRestrictions, setUnmatched } from './draft.ts'
import { fromClusterImagePolicy, fromControllerConfig } from './from-cluster-image-policy.ts'
import { fromContainersPolicy, isContainersPolicy } from './from-containers-policy.ts'
import { fromCosign } from './from-cosign.ts'
import { fromKyvernoCel } from './from-kyverno-cel.ts'
import { fromKyverno } from './from-kyverno.ts'
import { fromTrustPolicy } from './from-trust-policy.ts'
import { unmatchedAnnotation } from './kyverno-images.ts'
import { type Loss, type LossLog, lossLog, type OpenLoss, settleLosses } from './losses.ts'

/** The kinds of policy that can be read and written. */
export type ForeignKind = 'kyverno' | 'kyverno-ivp' | 'cluster-image-policy' | 'notary-trust-policy' | 'containers-policy' | 'cosign'

/** A policy document, and what could not be carried over; `document` counts the documents given from 0. */
export type ImportedPolicy = {
  readonly policy: JsonObject
  readonly losses: readonly (Loss & { readonly document: number })[]
}

/** How the policy is called, and what images come to that it does not speak of, where the documents do not say. */
export type ImportOptions = { readonly name: string; readonly unmatched?: Decision }

/** Makes one policy of documents: all that any of them demands. Throws `policy_malformed`. */
export async function importPolicies(documents: readonly JsonValue[], options: ImportOptions): Promise<ImportedPolicy> {
  const draft = newDraft()
  const logs: (readonly OpenLoss[])[] = []
  const kinds: (ForeignKind | 'controller-config')[] = []
  for (const value of documents) {
    const log = lossLog()
    kinds.push(await importOne(documentPlace(value, 'policy_malformed'), draft, log))
    logs.push(log.all)
  }
  if (options.unmatched !== undefined) draft.unmatched = options.unmatched
  settleRestrictions(draft)
  // Only now: a later document may say what images come to that no rule speaks of.
  const unmatched = draft.unmatched ?? 'deny'
  const losses = logs.flatMap((log, document) => settleLosses(log, unmatched).map((loss) => ({ ...loss, document })))
  if (draft.unmatched === undefined) {
    const document = kinds.findIndex((kind) => kind === 'kyverno' || kind === 'kyverno-ivp' || kind === 'cluster-image-policy')
    const reason = 'images that no rule speaks of are admitted there, or as the cluster is set; here they are denied'
    if (document !== -1) losses.push({ path: '$', effect: 'stricter', reason, document })
  }
  return { policy: finishDraft(draft, options.name), losses }
}

/** Makes a policy of a command line of cosign. `images` are globs, in place of the images that it names. Throws `policy_malformed`. */
export function importCosign(line: string, images: readonly string[], options: ImportOptions): ImportedPolicy {
  const [draft, log] = [newDraft(), lossLog()]
  fromCosign(line, images, draft, log)
  if (options.unmatched !== undefined) draft.unmatched = options.unmatched
  const losses = settleLosses(log.all, draft.unmatched ?? 'deny').map((loss) => ({ ...loss, document: 0 }))
  return { policy: finishDraft(draft, options.name), losses }
}

/** Our own note on what the cluster does anyway with images that the documents do not speak of. */
function readUnmatched(field: Members, draft: Draft): void {
  const metadata = isAbsent(field('metadata')) ? undefined : openMembers(field('metadata'))('annotations')
  if (metadata === undefined || isAbsent(metadata)) return
  const word = openMembers(metadata)(unmatchedAnnotation).value
  if (word === 'allow' || word === 'warn' || word === 'deny') setUnmatched(draft, word)
}

async function importOne(at: Place, draft: Draft, log: LossLog): Promise<ForeignKind | 'controller-config'> {
  const field = openMembers(at)
  const [kind, api] = [field('kind').value, field('apiVersion').value]
  const group = typeof api === 'string' ? (api.split('/')[0] ?? '') : ''
  if ((kind === 'ClusterPolicy' || kind === 'Policy') && group === 'kyverno.io') {
    readUnmatched(field, draft)
    fromKyverno(at, draft, log)
    return 'kyverno'
  }
  if ((kind === 'ImageValidatingPolicy' || kind === 'NamespacedImageValidatingPolicy') && group === 'policies.kyverno.io') {
    readUnmatched(field, draft)
    await fromKyvernoCel(at, draft, log)
    return 'kyverno-ivp'
  }
  if (kind === 'ClusterImagePolicy' && group.endsWith('sigstore.dev')) {
    fromClusterImagePolicy(at, draft, log)
    return 'cluster-image-policy'
  }
  if (kind === 'ConfigMap' && fromControllerConfig(at, draft)) return 'controller-config'
  if (isAbsent(field('kind')) && !isAbsent(field('trustPolicies'))) {
    fromTrustPolicy(at, draft, log)
    return 'notary-trust-policy'
  }
  if (isContainersPolicy(at)) {
    fromContainersPolicy(at, draft, log)
    return 'containers-policy'
  }
  throw new CountersignError('policy_malformed', '$: not a policy that can be imported', {
    expected: 'ClusterPolicy or ImageValidatingPolicy of Kyverno, ClusterImagePolicy, trustpolicy.json or policy.json',
    found: [kind, api].filter((each) => typeof each === 'string').join(' of ') || 'something else',
  })
}
