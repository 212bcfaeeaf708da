/** A policy as `ClusterImagePolicy` of sigstore's policy-controller: policies are "and", authorities of one are "or". */
import type { JsonObject } from '../json/parse.ts'
import type { CompiledIdentity, CompiledPolicy } from '../policy/compile.ts'
import { clausesOf, type ExportRule, exportRules } from './export-view.ts'
import { splitTag } from './image-globs.ts'
import { clusterName } from './kyverno-images.ts'
import type { LossLog } from './losses.ts'
import { issuerAndSubject, lostIdentities, pemsOf, signerOf } from './signers.ts'
import { nameOfArc } from './keyless.ts'

type Around = { readonly compiled: CompiledPolicy; readonly log: LossLog }

/** One document for each "one of these" of each rule, and the setting of the cluster for images that no policy speaks of. */
export function toClusterImagePolicy(compiled: CompiledPolicy, log: LossLog): readonly JsonObject[] {
  const rules = exportRules(compiled, log, false)
  lostIdentities(compiled, rules, log, false)
  const documents = rules.flatMap((rule) => toDocuments(rule, { compiled, log }))
  log.note('$.match.unmatched', 'the setting of the cluster for images that no policy speaks of holds for all its policies')
  const config = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'config-policy-controller', namespace: 'cosign-system' },
    data: { 'no-match-policy': compiled.policy.unmatched },
  }
  return [...documents, config]
}

function toDocuments(rule: ExportRule, { compiled, log }: Around): readonly JsonObject[] {
  const { demand, path, party, denies } = rule
  const clauses = clausesOf(party)
  if (clauses === undefined) {
    log.weaker(`${path}.${demand.kind}.by`, 'too many combinations of signers to write down there')
    return []
  }
  if (demand.kind === 'signature' && demand.annotations.size > 0)
    log.weaker(`${path}.signature.annotations`, 'annotations are not compared there')
  if (demand.kind === 'attestation' && demand.condition !== undefined)
    log.weaker(`${path}.attestation.condition`, 'conditions there are CUE or Rego, and CUE accepts what is missing')
  const images = rule.images.map((glob) => ({ glob: controllerImage(glob, compiled, path, log) }))
  const base = clusterName(`${compiled.policy.name}-${rule.name}`)
  return clauses.flatMap((clause, index) => {
    const authorities = clause.flatMap((identity) => authoritiesOf(identity, rule, { compiled, log }))
    if (authorities.length === 0) return []
    return [
      {
        apiVersion: 'policy.sigstore.dev/v1beta1',
        kind: 'ClusterImagePolicy',
        metadata: { name: clauses.length === 1 ? base : `${base}-${index + 1}` },
        spec: { images, mode: denies ? 'enforce' : 'warn', authorities },
      },
    ]
  })
}

/** A glob there sees the digest that the tag was resolved to, so that only a star at the end lets it match. */
function controllerImage(glob: string, { policy }: CompiledPolicy, path: string, log: LossLog): string {
  const { place, tag } = splitTag(glob)
  if (tag !== undefined) log.weaker(path, `tags are resolved to digests before they are matched there: ${glob} would match nothing`)
  const first = place.split('/')[0] ?? ''
  const hub = !/[*?]/.test(first) && !(place.includes('/') && (/[.:]/.test(first) || first === 'localhost'))
  const named = hub
    ? `index.docker.io/${place.includes('/') ? '' : 'library/'}${place}`
    : place.replace(/^docker\.io\//, 'index.docker.io/')
  const known = named.replaceAll('?', '*').replaceAll(/[^A-Za-z0-9\-_:/*.]/g, '*')
  const open = known.endsWith('*') ? known : `${known}*`
  if (open !== named) {
    const reason = `${open} also matches other images than ${glob}`
    if (policy.unmatched === 'allow') log.stricter(path, reason)
    else log.weaker(path, reason)
  }
  return tag === undefined ? open : `${named}:${tag}`
}

function authoritiesOf(identity: CompiledIdentity, { demand, logged }: ExportRule, { compiled, log }: Around): readonly JsonObject[] {
  const attestations = demand.kind === 'attestation' ? { attestations: [{ name: 'attested', predicateType: demand.predicateType }] } : {}
  const signer = signerOf(compiled, identity)
  if (signer?.kind === 'certificate') {
    const path = compiled.policy.identities.get(identity.name)?.path ?? '$'
    for (const arc of signer.extensions.keys())
      log.weaker(`${path}.certificate.extensions.${nameOfArc(arc)}`, 'extensions are not compared there')
    return [{ name: clusterName(identity.name), keyless: { identities: [issuerAndSubject(signer, false)] }, ...ctlog, ...attestations }]
  }
  return pemsOf(identity).map((data, index) => ({
    name: clusterName(index === 0 ? identity.name : `${identity.name}-${index + 1}`),
    key: { data, hashAlgorithm: 'sha256' },
    ...(logged ? ctlog : {}),
    ...attestations,
  }))
}

const ctlog = { ctlog: { url: 'https://rekor.sigstore.dev' } }
