/** `countersign policy explain`. */
import { parseReference } from '@countersign/core/oci/reference'
import { type ExplainedPolicy, type ExplainedRule, explainPolicy } from '@countersign/core/policy/explain'
import type { PolicyArtifact } from '@countersign/core/policy/match'
import type { Invocation } from '../command/invocation.ts'
import { openPolicyFile } from '../demands/policy-file.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import type { SubjectReport } from '../report/schema.ts'

/** Explains the policy, once alone and once for each artifact. Throws the failures of the policy file, and `reference_malformed`. */
export async function explainPolicies(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal, reportOnStdout } = invocation
  const [path = '', ...images] = subjects
  const { policy } = await openPolicyFile(invocation, path)
  const type = flags.text('media-type')
  const base = { digests: [], ...(type === undefined ? {} : { mediaType: type }) }
  const artifacts: readonly (readonly [string, PolicyArtifact])[] = [
    ...images.map((image) => [image, { kind: 'image', reference: parseReference(image), ...base }] as const),
    ...flags.list('file').map((file) => [file, { kind: 'file', path: file, ...base }] as const),
  ]
  const alone = explainPolicy(policy)
  if (!reportOnStdout) terminal.out(`${policyLines(path, alone).map(printable).join('\n')}\n`)
  const reports: SubjectReport[] = [{ subject: path, ok: true, content: alone }]
  for (const [subject, artifact] of artifacts) {
    const explained = explainPolicy(policy, artifact)
    if (!reportOnStdout) terminal.out(`\n${artifactLines(subject, explained).map(printable).join('\n')}\n`)
    reports.push({ subject, ok: true, content: explained })
  }
  return { subjects: reports }
}

function policyLines(path: string, explained: ExplainedPolicy): readonly string[] {
  return [
    `${path}: policy ${explained.policy} speaks of ${explained.about}; ${explained.unmatched}.`,
    explained.rules.length === 1 ? 'It is accepted when this holds:' : 'It is accepted when all of this holds:',
    ...explained.rules.flatMap(ruleLines),
    ...explained.mirrors.map((mirror) => `${mirror}.`),
    ...(explained.revocations.length === 0 ? [] : ['Revocations:', ...explained.revocations.map((list) => `  ${list}`)]),
  ]
}

function ruleLines({ rule, about, demand, identities, otherwise }: ExplainedRule): readonly string[] {
  return [
    `  ${rule}: ${about === undefined ? '' : `for ${about}, `}${demand};`,
    `    ${otherwise}.`,
    ...identities.map(({ name, who }) => `    ${name} is ${who}.`),
  ]
}

function artifactLines(subject: string, explained: ExplainedPolicy): readonly string[] {
  if (explained.applies !== true) return [`${subject}: the policy does not speak of it; ${explained.unmatched}.`]
  const [applying, others] = [explained.rules.filter(({ applies }) => applies), explained.rules.filter(({ applies }) => applies !== true)]
  if (applying.length === 0) return [`${subject}: the policy speaks of it, but none of its rules does; ${explained.unmatched}.`]
  return [
    `${subject}: falls under ${applying.map(({ rule }) => rule).join(', ')}.`,
    ...others.map(({ rule, about }) => `  not under ${rule}, which is for ${about ?? 'nothing'}.`),
  ]
}
