/**
 * Reads a policy: `kind: ArtifactPolicy`, `apiVersion: countersign.dev/v1`, as a JSON value.
 *
 * What is unknown is refused, never ignored: a misspelt field of a policy is a demand that nobody checks. Every failure is
 * `policy_malformed` and begins with the place, as in `$.require[2].attestation.type`.
 */
import type { JsonValue } from '../json/parse.ts'
import { documentPlace, isAbsent, members, oneOf, optional, optionalItems, type Place } from '../json/shape.ts'
import { readDecision, readMatch, readName } from './fields.ts'
import { readIdentities, readRevocations } from './identities.ts'
import type { ArtifactPolicy } from './model.ts'
import { readMirror } from './mirrors.ts'
import { namesOf, readGroups, readRules } from './rules.ts'

/** The version of the format that this reads. */
export const policyApiVersion = 'countersign.dev/v1'

const maxMirrors = 64

/** Reads a policy document. Throws `policy_malformed`. */
export function parsePolicy(value: JsonValue): ArtifactPolicy {
  const root = documentPlace(value, 'policy_malformed')
  const field = members(root, ['apiVersion', 'kind', 'metadata', 'match', 'identities', 'groups', 'revocations', 'mirrors', 'require'])
  oneOf(field('apiVersion'), [policyApiVersion])
  oneOf(field('kind'), ['ArtifactPolicy'])
  const name = optional(field('metadata'), readMetadata) ?? 'policy'
  const identities = isAbsent(field('identities')) ? new Map() : readIdentities(field('identities'))
  const groups = readGroups(field('groups'), identities)
  return {
    name,
    match: readMatch(field('match'), ['unmatched']),
    unmatched: readDecision(members(field('match'), ['images', 'files', 'mediaTypes', 'unmatched'])('unmatched')),
    identities,
    rules: readRules(field('require'), namesOf(identities, groups)),
    revocations: readRevocations(field('revocations')),
    mirrors: optionalItems(field('mirrors'), maxMirrors).map(readMirror),
  }
}

function readMetadata(at: Place): string {
  return readName(members(at, ['name'])('name'))
}
