/** A run over many artifacts: `-f`, `-r`, `--platform`, folders, and several files. */
import { CountersignError, unreachable } from '@countersign/core/failure'
import { type ContainerRun, resolveContainer } from '@countersign/sdk/batch/container'
import { expandContainer, type ManifestChoice } from '@countersign/sdk/batch/expand'
import { type FileRun, verifyFile } from '@countersign/sdk/batch/file'
import type { BatchItem } from '@countersign/sdk/batch/model'
import { type Once, once } from '@countersign/sdk/batch/once'
import { runPool, type Settled } from '@countersign/sdk/batch/pool'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import type { Invocation } from '../command/invocation.ts'
import { durationMs } from '../command/parse.ts'
import { maxWorkers, signatureRepository, verifyingConnection } from '../connection.ts'
import { failOnWarn } from '../demands/fail-on.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { sortedItems } from '../report/items.ts'
import type { PolicyReport, SubjectReport } from '../report/schema.ts'
import { onInterruption } from '../terminal/interruption.ts'
import { itemsFromFlags } from './items.ts'
import { type BatchSubject, createJudges, type Judges } from './judges.ts'
import { hintLines, summaryLine } from './lines.ts'
import { keepHeapSmall } from './memory.ts'
import { createPrinter, type PrintForm } from './printer.ts'
import { describedItem, skippedSubject, thrownSubject, unreachedSubject, verdictSubject } from './subject.ts'

/** What a run verifies, and how it speaks. */
export type BatchRequest = BatchSubject & { readonly kind: 'container' | 'file'; readonly form: PrintForm }

/** A run while it lasts. */
type Run = ContainerRun & FileRun & { readonly judges: Judges; readonly known: Once; readonly full: boolean }

/** Verifies everything; never stops at the first failure. Throws only what concerns the run as a whole. */
export async function verifyMany(invocation: Invocation, request: BatchRequest): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const failOn = failOnWarn(flags)
  const listed = await itemsFromFlags(invocation, request.kind)
  await keepHeapSmall(listed.length)
  const judges = createJudges(invocation, request)
  const policy = await commonPolicy(judges, listed)
  const limit = timeLimit(flags.text('timeout'), listed.length)
  const registries = createRegistryRun({ ...verifyingConnection(invocation, listed.length), deadlineMs: limit })
  const ending = new AbortController()
  const timer = setTimeout(() => ending.abort('deadline'), limit)
  const forget = onInterruption(() => ending.abort('interrupted'))
  try {
    const open: ContainerRun['open'] = ({ image }) => openImageRepositories(registries, { image, ...signatureRepository(flags) })
    const pool = { workers: maxWorkers(flags), signal: ending.signal, clock: () => performance.now() }
    const items = await expanded(listed, { recursive: flags.boolean('recursive', false), platforms: flags.list('platform') }, open, pool)
    const readingMs = Math.round(performance.now())
    const run: Run = {
      open,
      judges,
      known: once(),
      once: once(),
      shared: sharedEvidence(items),
      nowMs: terminal.nowMs,
      full: invocation.reportAsked,
    }
    const subjects = await verified(invocation, run, items, pool, request.form)
    const verifyingMs = Math.round(performance.now()) - readingMs
    if (request.form === 'lines') {
      terminal.err(hintLines(subjects))
      terminal.err(summaryLine(sortedItems(subjects).summary, verifyingMs))
    }
    if (subjects.every(({ skipped }) => skipped !== undefined)) terminal.warn('WARNING: nothing was verified')
    return { subjects, policy, ...failOn, timings: { readingMs, verifyingMs } }
  } finally {
    clearTimeout(timer)
    forget()
    registries.close()
  }
}

type Pool = Parameters<typeof runPool>[2]

/** What the flags demand is found out before anything is fetched: a run whose every item lacks a key fails as one. */
async function commonPolicy(judges: Judges, items: readonly BatchItem[]): Promise<PolicyReport> {
  const reports: PolicyReport[] = []
  for (const kind of ['container', 'file'] as const) {
    const bare = items.some((item) => item.kind === kind && Object.keys(item.demands).length === 0)
    if (bare) reports.push((await judges({}, kind)).report)
  }
  const [first] = reports
  if (first !== undefined) return first
  const each = 'as each entry says'
  return { signers: [each], demands: { log: each, sct: each, signedTimestamp: each, claims: 'required' } }
}

/** Milliseconds for the whole run. What nobody asked for in time grows with the work. */
function timeLimit(timeout: string | undefined, items: number): number {
  const asked = timeout === undefined ? 0 : durationMs(timeout)
  return asked > 0 ? asked : Math.min(180_000 + items * 2_000, 2 ** 31 - 1)
}

/** Each image in place of the manifests that are chosen of it. An image that cannot be looked into stays one item, which fails. */
async function expanded(items: readonly BatchItem[], choice: ManifestChoice, open: Run['open'], pool: Pool): Promise<readonly BatchItem[]> {
  if (!choice.recursive && choice.platforms.length === 0) return items
  for (const platform of choice.platforms) {
    if (!/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/.test(platform))
      throw new CountersignError('usage', '--platform names no platform', {
        expected: 'os/architecture, for example linux/amd64',
        found: platform.slice(0, 60),
      })
  }
  const all: (readonly BatchItem[])[] = items.map((item) => [item])
  const task = async (index: number): Promise<readonly BatchItem[]> => {
    const item = items[index]
    if (item?.kind !== 'container') return []
    return expandContainer((await open(item)).images, item, choice)
  }
  const lanes = items.map(laneOf)
  await runPool(lanes, task, pool, (index, outcome) => {
    const item = items[index]
    if (item?.kind !== 'container') return
    if (outcome.kind === 'done') all[index] = outcome.value
    // Where the run ends early, so does its verification, which says so.
    else if (outcome.kind === 'failed') all[index] = [failedItem(item, outcome.cause)]
  })
  return all.flat()
}

function failedItem({ subject, at, demands }: BatchItem, cause: unknown): BatchItem {
  if (!(cause instanceof CountersignError)) throw cause
  return { kind: 'failed', type: 'container', subject, demands, ...(at === undefined ? {} : { at }), failure: cause }
}

function laneOf(item: BatchItem): string {
  if (item.kind !== 'container') return 'files'
  const { place } = item.image
  return place.kind === 'registry' ? place.registry : 'files'
}

function sharedEvidence(items: readonly BatchItem[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const shared = new Set<string>()
  for (const item of items) {
    for (const path of item.kind === 'file' && item.evidence.kind === 'files' ? item.evidence.paths : []) {
      if (seen.has(path)) shared.add(path)
      seen.add(path)
    }
  }
  return shared
}

async function verified(
  invocation: Invocation,
  run: Run,
  items: readonly BatchItem[],
  pool: Pool,
  form: PrintForm,
): Promise<readonly SubjectReport[]> {
  const subjects: SubjectReport[] = Array.from({ length: items.length })
  const printer = createPrinter(invocation, items.length, form)
  const task = (index: number): Promise<SubjectReport> => verifyItem(run, items[index] as BatchItem)
  await runPool(items.map(laneOf), task, pool, (index, outcome) => {
    const subject = subjectOf(items[index] as BatchItem, outcome)
    printer.add(index, subject)
    // Of ten thousand files the evidence is kept only for a report.
    subjects[index] = subject
  })
  printer.end()
  return subjects
}

function subjectOf(item: BatchItem, outcome: Settled<SubjectReport>): SubjectReport {
  switch (outcome.kind) {
    case 'done':
      return { ...outcome.value, durationMs: Math.round(outcome.durationMs) }
    case 'failed':
      return { ...thrownSubject(item, outcome.cause), durationMs: Math.round(outcome.durationMs) }
    case 'not_reached':
      return unreachedSubject(item, outcome.why)
    default:
      return unreachable(outcome)
  }
}

async function verifyItem(run: Run, item: BatchItem): Promise<SubjectReport> {
  switch (item.kind) {
    case 'skipped':
      return skippedSubject(item, item.reason)
    case 'failed':
      return thrownSubject(item, item.failure)
    case 'file': {
      const { judge } = await run.judges(item.demands, 'file')
      return verdictSubject(item, await verifyFile(run, item, judge), run.full)
    }
    case 'container': {
      const { judge } = await run.judges(item.demands, 'container')
      const { key, verify } = await resolveContainer(run, item, judge)
      const found = await run.known(key, async () => verdictSubject(item, await verify(), run.full))
      // The same image under another name, or mentioned again.
      return { ...found, ...describedItem(item) }
    }
    default:
      return unreachable(item)
  }
}
