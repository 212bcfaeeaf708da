/** `countersign clean`. */
import { CountersignError } from '@countersign/core/failure'
import { formatPlace, parseReference } from '@countersign/core/oci/reference'
import { withImageRepositories } from '@countersign/sdk/sign/repositories'
import { type CleanPlan, type CleanType, executeClean, planClean, type Removal } from '@countersign/sdk/transport/clean'
import type { Invocation } from '../command/invocation.ts'
import { imagePlaces } from '../connection.ts'
import { failureLine, failureText } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { confirm } from '../terminal/prompt.ts'
import { amount } from './carry-image.ts'

const types: readonly CleanType[] = ['signature', 'attestation', 'sbom', 'referrer', 'all']

/** Removes what refers to an image; says what would go, and asks. */
export async function clean(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [subject = ''] = subjects
  const asked = flags.text('type') ?? 'all'
  const type = types.find((name) => name === asked)
  if (type === undefined) {
    throw new CountersignError('usage', '--type names nothing that can be removed', {
      expected: types.join(', '),
      found: asked.slice(0, 40),
    })
  }
  const image = parseReference(subject)
  const dryRun = flags.boolean('dry-run', false)
  return withImageRepositories(imagePlaces(invocation, image), async (repositories) => {
    const plan = await planClean(repositories, image, type)
    const name = `${formatPlace(image.place)}@${plan.subject}`
    for (const removal of plan.removals) terminal.out(removalText(dryRun ? 'would remove' : 'remove', removal))
    for (const removal of plan.suspicious)
      terminal.warn(removalText('WARNING: left alone, because it looks like an image:', removal).trimEnd())
    for (const failure of plan.unreadable) terminal.warn(`WARNING: there may be more: ${failureLine(failureText(failure))}`)
    const done = dryRun || plan.removals.length === 0 ? false : await removeIfAllowed(invocation, repositories.signatures, plan, name)
    if (plan.removals.length === 0) terminal.out('nothing to remove\n')
    return { subjects: [report(subject, plan, done)] }
  })
}

async function removeIfAllowed(
  { flags, terminal }: Invocation,
  signatures: Parameters<typeof executeClean>[0],
  plan: CleanPlan,
  name: string,
): Promise<boolean> {
  const entries = plan.removals.length === 1 ? 'this' : `these ${plan.removals.length} manifests`
  if (!flags.boolean('force', false) && !(await confirm(terminal, `Remove ${entries} from ${name}? It cannot be undone.`))) {
    throw new CountersignError('usage', 'nothing was removed', { hint: 'Answer with yes, or give --force.' })
  }
  await executeClean(signatures, plan)
  terminal.out(`removed ${plan.removals.length} from ${name}\n`)
  return true
}

function removalText(verb: string, { kind, layout, entries, manifest, tags }: Removal): string {
  const named = tags.length === 0 ? '' : `, tags ${tags.join(', ')}`
  return `${verb} ${amount(entries, kind)} (${layout}) ${manifest}${named}\n`
}

function report(subject: string, plan: CleanPlan, removed: boolean): Conclusion['subjects'][number] {
  const unreadable = plan.unreadable.map((failure) => failureReport(failureText(failure)))
  const removals = plan.removals.map(({ kind, layout, entries, manifest, tags }) => ({ kind, layout, entries, manifest, tags }))
  return { subject, ok: true, digest: plan.subject, content: { removed, removals }, unreadable }
}
