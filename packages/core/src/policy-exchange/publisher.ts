/**
 * The policy of a trusted publisher: images are accepted when one workflow of one repository, run for one branch or kind of tag, signed them.
 *
 * Names are those that Fulcio writes into certificates (fulcio, docs/oid-info.md and its issuers for GitHub Actions and GitLab CI): the
 * subject is the workflow at the ref, and extensions repeat repository, ref and event so that a change of one is noticed.
 */
import { CountersignError } from '../failure.ts'
import type { JsonObject } from '../json/parse.ts'
import { policyApiVersion } from '../policy/document.ts'

/** Which commits may be built: those of a branch, or those that a tag names. A tag may be a glob. */
export type PublisherRef = { readonly kind: 'branch' | 'tag'; readonly name: string }

/** Whose pipeline signs. */
export type Publisher = {
  readonly forge: 'github' | 'gitlab'
  /** Address of the forge, without a slash at the end. */
  readonly url: string
  /** Who vouches for the pipeline's identity. */
  readonly issuer: string
  /** `ORG/REPO`, or `GROUP/…/PROJECT`. */
  readonly repository: string
  /** The file that describes the pipeline, in the repository; for GitHub also `ORG/REPO/PATH` of a reusable workflow. */
  readonly workflow: string
  readonly ref: PublisherRef
  /** What must have started it; any of several, everything where none is named. */
  readonly events: readonly string[]
  /** The kind of runner, such as `github-hosted`; every one where none is named. */
  readonly runner?: string
}

/** What is to be accepted, beside who signs. */
export type PolicyRequest = {
  readonly name: string
  readonly images: readonly string[]
  readonly files: readonly string[]
  /** Attestations that must be there too: predicate types or their short names. */
  readonly attestations: readonly string[]
}

/** The policy document. Throws `usage` when a name cannot be one. */
export function publisherPolicy(publisher: Publisher, request: PolicyRequest): JsonObject {
  const { repository, url, ref, events, runner, issuer } = publisher
  demand(repository, publisher.forge === 'github' ? /^[\w.-]+\/[\w.-]+$/ : /^[\w.-]+(?:\/[\w.-]+)+$/, 'repository', 'as in acme/app')
  demand(ref.name, ref.kind === 'tag' ? /^[\w./*?+-]{1,200}$/ : /^[\w./+#@-]{1,200}$/, ref.kind, 'a name of git, without blanks')
  const fullRef = `refs/${ref.kind === 'branch' ? 'heads' : 'tags'}/${ref.name}`
  const extensions: JsonObject = {
    sourceRepositoryURI: `${url}/${repository}`,
    sourceRepositoryRef: exactOrGlob(fullRef),
    ...(events.length === 0 ? {} : { buildTrigger: oneOfEvents(events) }),
    ...(runner === undefined ? {} : { runnerEnvironment: runner }),
  }
  const subject = exactOrGlob(`${workflowAt(publisher)}@${fullRef}`)
  return policyOf(request, { ci: { certificate: { issuer, subject, extensions } } }, 'ci', { logged: true })
}

/** The policy of people with keys: `threshold` of them must have signed. Throws `usage` when they never can. */
export function keysPolicy(keys: ReadonlyMap<string, string>, threshold: number, request: PolicyRequest): JsonObject {
  const names = [...keys.keys()]
  if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > names.length) {
    throw new CountersignError('usage', `${threshold} of ${names.length} keys can never sign`, {
      hint: 'Give as many --key as --threshold demands.',
    })
  }
  const identities = Object.fromEntries([...keys].map(([name, pem]) => [name, { keys: [pem] }]))
  const [only] = names
  const by = names.length === 1 && only !== undefined ? only : { threshold, of: names }
  return policyOf(request, identities, by, {})
}

function policyOf(request: PolicyRequest, identities: JsonObject, by: string | JsonObject, time: JsonObject): JsonObject {
  const { name, images, files, attestations } = request
  if (images.length + files.length === 0) {
    throw new CountersignError('usage', 'it is not said what the policy speaks of', { hint: 'Give --image GLOB or --file GLOB.' })
  }
  return {
    apiVersion: policyApiVersion,
    kind: 'ArtifactPolicy',
    metadata: { name },
    match: { ...(images.length === 0 ? {} : { images }), ...(files.length === 0 ? {} : { files }), unmatched: 'deny' },
    identities,
    require: [
      { name: 'signed', signature: { by, ...time } },
      ...attestations.map((type, index) => ({ name: `attested-${index + 1}`, attestation: { type, by, ...time } })),
    ],
  }
}

/** GitHub: the workflow's own repository, which for a reusable workflow is another one. GitLab: two slashes before the file. */
function workflowAt({ forge, url, repository, workflow }: Publisher): string {
  demand(workflow, /^[\w./+-]{1,300}$/, 'workflow', 'the file of the pipeline, such as .github/workflows/release.yml')
  if (forge === 'gitlab') return `${url}/${repository}//${workflow}`
  if (/^[\w.-]+\/[\w.-]+\/\.github\/workflows\/[^/]+$/.test(workflow)) return `${url}/${workflow}`
  const file = workflow.startsWith('.github/workflows/') ? workflow : `.github/workflows/${workflow}`
  return `${url}/${repository}/${file}`
}

function exactOrGlob(name: string): string | JsonObject {
  return /[*?]/.test(name) ? { glob: name } : name
}

function oneOfEvents(events: readonly string[]): string | JsonObject {
  for (const event of events) demand(event, /^[a-z][a-z_]{0,60}$/, 'event', 'as in push or workflow_dispatch')
  const [only, ...more] = events
  return only !== undefined && more.length === 0 ? only : { pattern: events.join('|') }
}

function demand(value: string, pattern: RegExp, what: string, expected: string): void {
  if (!pattern.test(value)) throw new CountersignError('usage', `${JSON.stringify(value.slice(0, 120))} is no ${what}`, { expected })
}
