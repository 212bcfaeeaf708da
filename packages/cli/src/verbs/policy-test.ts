/** `countersign policy test`. */
import { dirname, relative, resolve } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { type JsonValue, parseJson } from '@countersign/core/json/parse'
import { compareVerdict, coverageOf, type RuleCoverage } from '@countersign/core/policy-cases/compare'
import type { CaseDifference, PolicyCase } from '@countersign/core/policy-cases/model'
import type { Verdict } from '@countersign/core/policy/verdict'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { openCases } from '@countersign/sdk/policy/cases'
import type { Invocation } from '../command/invocation.ts'
import { openPolicyFile } from '../demands/policy-file.ts'
import { inFile } from '../failure/in-file.ts'
import { failureMessage, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { failedSubject } from '../report/failed-subject.ts'
import type { SubjectReport } from '../report/schema.ts'
import { readInput } from '../terminal/input.ts'
import { hinted } from './hinted.ts'
import { judgeReal } from './policy-test-real.ts'
import { verdictText } from './verdict-output.ts'

const aboutCases = 'Correct the case; docs/schema/policy-cases.schema.json says what it may hold.'
const maxBytes = 16 * 1024 * 1024

/** Judges all cases of all files; what does not hold in one does not stop the others. */
export async function testPolicy(invocation: Invocation): Promise<Conclusion> {
  const subjects: SubjectReport[] = []
  for (const file of invocation.subjects) {
    try {
      subjects.push(...(await testFile(invocation, file)))
    } catch (thrown) {
      subjects.push(failedSubject(invocation, file, thrown))
    }
  }
  return { subjects }
}

async function testFile(invocation: Invocation, file: string): Promise<readonly SubjectReport[]> {
  const { flags, terminal } = invocation
  const text = await inFile(file, async () => fromUtf8(await readInput(file, maxBytes)))
  const cases = await hinted(aboutCases, () => openCases(text, file, terminal.nowMs))
  const { document } = cases
  const here = (path: string): string => relative('', resolve(dirname(file), path))
  // What the cases name is nearer to them than what a profile says of all verbs.
  const own = document.policy === undefined ? undefined : here(document.policy)
  const policyPath = flags.source('policy') === 'profile' ? (own ?? flags.text('policy')) : (flags.text('policy') ?? own)
  if (policyPath === undefined) {
    throw new CountersignError('usage', `${file}: it is not said by which policy to judge`, {
      hint: 'Give --policy FILE, or write policy: FILE into the cases.',
    })
  }
  const keyed = { ...invocation, flags: { ...flags, list: (name: string) => keysToo(name, flags.list(name), document.keys.map(here)) } }
  const { policy: compiled } = await openPolicyFile(keyed, policyPath)
  const readPredicate = async (path: string): Promise<JsonValue> => parseJson(await readInput(here(path), maxBytes), { maxBytes })
  const around = { compiled, primitives: nodePrimitives, nowMs: terminal.nowMs, readPredicate }
  const reports: SubjectReport[] = []
  const verdicts: Verdict[] = []
  for (const one of document.cases) {
    const { verdict, report } = await testCase({ invocation: keyed, file, policyPath, here }, one, () =>
      hinted(aboutCases, () => cases.judge(one, around)),
    )
    reports.push({ ...report, location: { file, ...cases.lineOf(one.path) } })
    if (verdict !== undefined) verdicts.push(verdict)
  }
  const coverage = coverageOf(compiled.policy.rules, verdicts)
  return [...reports, ...concludeCoverage(invocation, file, coverage)]
}

function keysToo(name: string, given: readonly string[], keys: readonly string[]): readonly string[] {
  return name === 'key' ? [...given, ...keys] : given
}

/** What a case is judged in. Paths of the document of cases are relative to it. */
export type CaseRun = {
  readonly invocation: Invocation
  readonly file: string
  readonly policyPath: string
  readonly here: (path: string) => string
}

type Tested = { readonly verdict?: Verdict; readonly report: SubjectReport }

async function testCase(run: CaseRun, one: PolicyCase, judge: () => Promise<Verdict>): Promise<Tested> {
  const { invocation, file } = run
  const subject = `${file}: ${one.name}`
  try {
    const real = one.subject.kind === 'real' || one.subject.kind === 'real_file'
    const verdict = real ? await judgeReal(run, one) : await judge()
    const differences = compareVerdict(verdict, one.expected)
    return { verdict, report: concludeCase(invocation, subject, verdict, differences) }
  } catch (thrown) {
    return { report: failedSubject(invocation, subject, thrown, subject) }
  }
}

function concludeCase(
  { terminal, reportOnStdout }: Invocation,
  subject: string,
  verdict: Verdict,
  differences: readonly CaseDifference[],
): SubjectReport {
  // The verdict is data throughout: what is written is what it is.
  const content = { verdict: verdict as unknown as JsonValue, differences }
  const ok = differences.length === 0
  if (!reportOnStdout) {
    terminal.out(`${ok ? 'ok' : 'NOT OK'}  ${printable(subject)}: ${verdict.decision}\n`)
    for (const { what, expected, found } of differences) {
      terminal.out(`${printable(`  - ${what}: ${expected}`)}\n${printable(`  + ${what}: ${found}`)}\n`)
    }
    if (!ok) terminal.out(verdictText('  found', verdict))
  }
  if (ok) return { subject, ok, content }
  const [first] = differences
  const failure = new CountersignError('policy_case_failed', `${subject}: ${first?.what ?? ''} is not as expected`, {
    expected: first?.expected ?? '',
    found: first?.found ?? '',
  })
  return { subject, ok, content, failure: failureReport(failureText(failure)) }
}

function concludeCoverage(
  { terminal, flags, reportOnStdout }: Invocation,
  file: string,
  coverage: readonly RuleCoverage[],
): SubjectReport[] {
  const lacking = coverage.flatMap(({ rule, satisfied, refused }) => [
    ...(satisfied ? [] : [`no case satisfies rule ${rule}`]),
    ...(refused ? [] : [`no case makes rule ${rule} refuse`]),
  ])
  const subject = `${file}: coverage`
  if (!reportOnStdout) for (const line of lacking) terminal.out(`      ${printable(`${file}: ${line}`)}\n`)
  const content = { coverage }
  if (lacking.length === 0 || !flags.boolean('require-coverage', false)) return [{ subject, ok: true, content }]
  const failure = failureText(
    new CountersignError('policy_case_failed', `${file}: ${lacking.join('; ')}`, { hint: 'Write cases for them.' }),
  )
  terminal.err(failureMessage(failure, file))
  return [{ subject, ok: false, content, failure: failureReport(failure) }]
}
