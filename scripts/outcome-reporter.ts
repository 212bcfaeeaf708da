/** What a run of vitest came to, as the file `$OUTCOME_FILE`: its own JSON report leaves out what fails beside the tests of a file. */
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

/** A test that failed, or something beside the tests of a file: its hooks, its imports. */
export type Failure = { readonly file: string; readonly name: string; readonly isTest: boolean; readonly messages: readonly string[] }

/** One run: the names of what passed by file, what failed, and what belongs to no test. */
export type Outcome = {
  readonly passed: Readonly<Record<string, readonly string[]>>
  readonly failures: readonly Failure[]
  readonly unhandled: readonly string[]
}

/** Writes the outcome when the run is over. */
export default class OutcomeReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const file = process.env.OUTCOME_FILE
    if (file === undefined) return
    const outcome: Outcome = {
      passed: Object.fromEntries(modules.map((module) => [fileOf(module), [...module.children.allTests('passed')].map(nameOf)])),
      failures: modules.flatMap(failuresOf),
      unhandled: unhandled.map(messageOf),
    }
    writeFileSync(file, JSON.stringify(outcome))
  }
}

function fileOf(module: TestModule): string {
  return relative(process.cwd(), module.moduleId)
}

function nameOf({ fullName }: TestCase | TestSuite): string {
  return fullName
}

function failuresOf(module: TestModule): Failure[] {
  const file = fileOf(module)
  const beside = (group: TestSuite | TestModule, name: string): Failure[] =>
    group.errors().length === 0 ? [] : [{ file, name, isTest: false, messages: group.errors().map(messageOf) }]
  const ofTest = (test: TestCase): Failure => ({
    file,
    name: nameOf(test),
    isTest: true,
    messages: (test.result().errors ?? []).map(messageOf),
  })
  return [
    ...beside(module, 'the file itself'),
    ...[...module.children.allSuites()].flatMap((group) => beside(group, nameOf(group))),
    ...[...module.children.allTests('failed')].map(ofTest),
  ]
}

function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error)
}
