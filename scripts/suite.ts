/**
 * One suite of tests for `.ci/run`: `suite.ts FOLDER NAME PROJECT [FILTER…]`. Shows them as ever, and leaves in FOLDER `counts` (passed, failed)
 * and, added to what is there, `failed` (each failed test with the first lines of its message) and `alone` (see below).
 *
 * Files that fail are run once more when all else is over, by themselves: what such a run says of a file is what counts. Many tests here kill
 * processes, let leases end and hold deadlines; on a machine that is busy with other things such a test can fail while the code is right, and
 * that has to be told from a fault of the code, which fails alone too. None of it is silent: whoever reads the end of the output sees
 * each test that needed it. When more than a few files fail, it is not the machine, and nothing is run again.
 */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { startVitest, type TestCase, type TestModule, type TestSuite } from 'vitest/node'

const mostFilesAgain = 8
const linesOfMessage = 6
const columns = 240

/** A test that failed, or something beside the tests of a file: its hooks, its imports. */
type Failure = { readonly file: string; readonly name: string; readonly isTest: boolean; readonly messages: readonly string[] }
/** One run: the names of what passed by file, what failed, and what belongs to no test. */
type Outcome = {
  readonly passed: ReadonlyMap<string, readonly string[]>
  readonly failures: readonly Failure[]
  readonly unhandled: readonly string[]
}

const [folder = '', suite = '', project = '', ...filters] = process.argv.slice(2)

async function run(files: readonly string[], alone: boolean): Promise<Outcome> {
  const one = alone ? { fileParallelism: false, maxWorkers: 1 } : {}
  const vitest = await startVitest([...files], { run: true, watch: false, project: [project], ...one })
  const modules = vitest.state.getTestModules()
  const outcome = {
    passed: new Map(modules.map((module) => [fileOf(module), [...module.children.allTests('passed')].map(({ fullName }) => fullName)])),
    failures: modules.flatMap(failuresOf),
    unhandled: vitest.state.getUnhandledErrors().map(messageOf),
  }
  await vitest.close()
  return outcome
}

function fileOf(module: TestModule): string {
  return relative(process.cwd(), module.moduleId)
}

function failuresOf(module: TestModule): Failure[] {
  const file = fileOf(module)
  const beside = (group: TestSuite | TestModule, name: string): Failure[] =>
    group.errors().length === 0 ? [] : [{ file, name, isTest: false, messages: group.errors().map(messageOf) }]
  const ofTest = (test: TestCase): Failure => ({
    file,
    name: test.fullName,
    isTest: true,
    messages: (test.result().errors ?? []).map(messageOf),
  })
  return [
    ...beside(module, 'the file itself'),
    ...[...module.children.allSuites()].flatMap((group) => beside(group, group.fullName)),
    ...[...module.children.allTests('failed')].map(ofTest),
  ]
}

function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error)
}

function listed({ file, name, messages }: Pick<Failure, 'file' | 'name' | 'messages'>): string {
  const lines = messages.flatMap((message) => message.split('\n')).filter((line) => line.trim() !== '')
  const shown = lines.slice(0, linesOfMessage).map((line) => `    ${line.slice(0, columns)}\n`)
  return `FAILED: ${suite}: ${file} > ${name}\n${shown.join('')}`
}

/** Whether what failed is proven by the run alone: its test passed there, or tests of its file did and nothing failed beside them. */
function recovers({ file, name, isTest }: Failure, again: Outcome): boolean {
  const passed = again.passed.get(file) ?? []
  return isTest ? passed.includes(name) : passed.length > 0 && again.failures.every((other) => other.file !== file || other.isTest)
}

const first = await run(filters, false)
const suspects = [...new Set(first.failures.map(({ file }) => file))]
const again = suspects.length > 0 && suspects.length <= mostFilesAgain ? await runAgain(suspects) : undefined

function runAgain(files: readonly string[]): Promise<Outcome> {
  console.log(`\nOnce more, alone: ${files.join(', ')}`)
  return run(files, true)
}

const recovered = again === undefined ? [] : first.failures.filter((failure) => recovers(failure, again))
const passed = [...new Map([...first.passed, ...(again?.passed ?? [])]).values()].flat().length
const unhandled = [...first.unhandled, ...(again?.unhandled ?? [])].map((message) => ({
  file: 'no test',
  name: 'an error that nobody handled',
  messages: [message],
}))
const stillFailed = new Map(
  [...first.failures.filter((failure) => !recovered.includes(failure)), ...(again?.failures ?? [])].map((failure) => [
    `${failure.file} > ${failure.name}`,
    failure,
  ]),
)
const failed = [...stillFailed.values(), ...unhandled]
appendFileSync(join(folder, 'alone'), recovered.map(({ file, name }) => `passed only when run alone: ${file} > ${name}\n`).join(''))
appendFileSync(join(folder, 'failed'), failed.map(listed).join(''))
writeFileSync(join(folder, 'counts'), `${passed} ${failed.length}\n`)
process.exit(failed.length === 0 && passed > 0 ? 0 : 1)
