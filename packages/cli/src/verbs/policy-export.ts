/** `countersign policy export`. */
import { CountersignError } from '@countersign/core/failure'
import { type ExportedPolicy, exportKinds, exportPolicy } from '@countersign/core/policy-exchange/export'
import { writeYaml } from '@countersign/sdk/policy/write'
import type { Invocation } from '../command/invocation.ts'
import { openPolicyFile } from '../demands/policy-file.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { sayLosses } from './policy-losses.ts'
import { writeText } from './policy-output.ts'

/** Converts, says what is lost, and writes. Throws `policy_malformed`, `policy_weaker`, `file_exists`, `usage`. */
export async function exportOnePolicy(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const [path = ''] = subjects
  const wanted = flags.required('to', `Name the tool: ${exportKinds.join(', ')}.`)
  const kind = exportKinds.find((each) => each === wanted)
  if (kind === undefined) {
    throw new CountersignError('usage', '--to names no tool', { expected: exportKinds.join(', '), found: wanted.slice(0, 40) })
  }
  const { policy, placeOf } = await openPolicyFile(invocation, path)
  const [image, rekorPublicKey, fulcioCa] = [flags.text('image'), flags.text('rekor-public-key'), flags.text('fulcio-ca')]
  const { content, losses } = exportPolicy(policy, kind, {
    ...(image === undefined ? {} : { image }),
    ...(rekorPublicKey === undefined ? {} : { rekorPublicKey }),
    ...(fulcioCa === undefined ? {} : { fulcioCa }),
  })
  const placed = losses.map((loss) => ({ ...loss, place: placeOf(loss.path) }))
  const comment = [`Exported from ${path}`, ...sayLosses(invocation, placed, `what ${kind} is given`)]
  const { subjects: written } = await writeText(invocation, await textOf(content, comment), { what: `policy for ${kind}` })
  return { subjects: written.map((subject) => ({ ...subject, content: { losses: placed } })) }
}

async function textOf(content: ExportedPolicy['content'], comment: readonly string[]): Promise<string> {
  // JSON has no comments, and these readers refuse fields that they do not know.
  if (content.form !== 'shell')
    return content.form === 'yaml' ? writeYaml(content.documents, comment) : `${JSON.stringify(content.documents[0], undefined, 2)}\n`
  const keys = [...content.keys].map(([file, pem]) => `cat > ${file} <<'EOF'\n${pem.trimEnd()}\nEOF\n`)
  return `#!/bin/sh\n${comment.map((line) => `# ${line}\n`).join('')}set -e\n${keys.join('')}${content.lines.join('\n')}\n`
}
