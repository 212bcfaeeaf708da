/**
 * One suite of tests for `.ci/run`: `suite.ts FOLDER NAME COMMAND [FILTER…]`, where COMMAND runs vitest. Shows it as ever, and leaves in FOLDER
 * `counts` (passed, failed) and, added to what is there, `failed` (each failed test with the first lines of its message) and `alone` (see below).
 *
 * Files that fail are run once more when all else is over, by themselves: what such a run says of a file is what counts. Many tests here kill
 * processes, let leases end and hold deadlines; on a machine that is busy with other things such a test can fail while the code is right, and
 * that has to be told from a fault of the code, which fails alone too. None of it is silent: whoever reads the end of the output sees
 * each test that needed it. When more than a few files fail, it is not the machine, and nothing is run again.
 */
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Failure, Outcome } from './outcome-reporter.ts'

const mostFilesAgain = 8
const linesOfMessage = 6
const columns = 240

const [folder = '', suite = '', command = '', ...filters] = process.argv.slice(2)

function run(files: readonly string[], ...options: readonly string[]): Outcome {
  const [program = '', ...args] = command.split(' ')
  const outcomeFile = join(folder, 'outcome.json')
  rmSync(outcomeFile, { force: true })
  const reporters = ['--reporter=default', `--reporter=${join(import.meta.dirname, 'outcome-reporter.ts')}`]
  spawnSync(program, [...args, ...options, ...reporters, ...files], {
    stdio: 'inherit',
    env: { ...process.env, OUTCOME_FILE: outcomeFile },
  })
  if (existsSync(outcomeFile)) return JSON.parse(readFileSync(outcomeFile, 'utf8')) as Outcome
  return { passed: {}, failures: [], unhandled: ['the run ended without an outcome'] }
}

function runAlone(files: readonly string[]): Outcome {
  console.log(`\nOnce more, alone: ${files.join(', ')}`)
  return run(files, '--no-file-parallelism')
}

function listed({ file, name, messages }: Pick<Failure, 'file' | 'name' | 'messages'>): string {
  const lines = messages.flatMap((message) => message.split('\n')).filter((line) => line.trim() !== '')
  const shown = lines.slice(0, linesOfMessage).map((line) => `    ${line.slice(0, columns)}\n`)
  return `FAILED: ${suite}: ${file} > ${name}\n${shown.join('')}`
}

/** Whether what failed is proven by the run alone: its test passed there, or tests of its file did and nothing failed beside them. */
function recovers({ file, name, isTest }: Failure, again: Outcome): boolean {
  const passed = again.passed[file] ?? []
  return isTest ? passed.includes(name) : passed.length > 0 && again.failures.every((other) => other.file !== file || other.isTest)
}

const first = run(filters)
const suspects = [...new Set(first.failures.map(({ file }) => file))]
const again = suspects.length > 0 && suspects.length <= mostFilesAgain ? runAlone(suspects) : undefined

const recovered = again === undefined ? [] : first.failures.filter((failure) => recovers(failure, again))
const passed = Object.values({ ...first.passed, ...again?.passed }).flat().length
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
