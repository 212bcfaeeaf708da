/** Runs commands side by side and sums up what they cost. */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { CountersignError } from '@countersign/core/failure'

/** A command, ready to start. */
export type Command = { readonly file: string; readonly args: readonly string[]; readonly env?: Readonly<Record<string, string>> }

/** What one run of a command cost. */
export type Cost = { readonly wallMs: number; readonly peakMiB: number }

let counter = 0

/** Runs a command to its end under GNU time, which knows the peak memory of it and its children. Throws `io_failed` unless it exits 0. */
export async function costOf(command: Command): Promise<Cost> {
  const note = join(tmpdir(), `countersign-bench-${process.pid}-${counter++}`)
  const start = performance.now()
  const child = spawn('/usr/bin/time', ['-f', '%M', '-o', note, command.file, ...command.args], {
    env: { ...process.env, ...command.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (part: Buffer) => (stderr += part.toString()))
  const code = await new Promise<number | null>((done, failed) => {
    child.on('error', failed)
    child.on('close', done)
  })
  const wallMs = performance.now() - start
  if (code !== 0) {
    throw new CountersignError('io_failed', `${command.file} ${command.args.join(' ')} exited with ${code}: ${stderr.slice(0, 2000)}`)
  }
  const peakMiB = Number(readFileSync(note, 'utf8').trim()) / 1024
  rmSync(note)
  return { wallMs, peakMiB }
}

/** One thing to measure: the same work by us and by the peer. */
export type Contest = {
  readonly name: string
  readonly runs: number
  /** Makes the command of a run; runs are numbered so that each can have an image or file of its own. */
  readonly ours: (run: number) => Command | Promise<Command>
  readonly theirs: (run: number) => Command | Promise<Command>
  /** The greatest acceptable ratio, ours to theirs. */
  readonly wallTarget?: number
  readonly memoryTarget?: number
}

/** The medians of both sides, and how they compare. */
export type Result = {
  readonly name: string
  readonly runs: number
  readonly ours: Cost
  readonly theirs: Cost
  readonly wallRatio: number
  readonly memoryRatio: number
  readonly wallTarget?: number
  readonly memoryTarget?: number
  readonly met: boolean
}

/** Runs both sides in turn, after one unmeasured run of each, so that noise of the machine meets both. */
export async function compare(contest: Contest): Promise<Result> {
  const ours: Cost[] = []
  const theirs: Cost[] = []
  for (let round = -1; round < contest.runs; round++) {
    const sides = [
      { into: ours, command: await contest.ours(round) },
      { into: theirs, command: await contest.theirs(round) },
    ]
    if (round % 2 === 0) sides.reverse()
    for (const side of sides) {
      const cost = await costOf(side.command)
      if (round >= 0) side.into.push(cost)
    }
  }
  return summary(contest, medianCost(ours), medianCost(theirs))
}

/** How the two sides compare. */
export function summary(contest: Pick<Contest, 'name' | 'runs' | 'wallTarget' | 'memoryTarget'>, ours: Cost, theirs: Cost): Result {
  const wallRatio = ours.wallMs / theirs.wallMs
  const memoryRatio = ours.peakMiB / theirs.peakMiB
  return {
    name: contest.name,
    runs: contest.runs,
    ours,
    theirs,
    wallRatio,
    memoryRatio,
    ...(contest.wallTarget === undefined ? {} : { wallTarget: contest.wallTarget }),
    ...(contest.memoryTarget === undefined ? {} : { memoryTarget: contest.memoryTarget }),
    met: wallRatio <= (contest.wallTarget ?? Infinity) && memoryRatio <= (contest.memoryTarget ?? Infinity),
  }
}

/** The median of each number. */
export function medianCost(costs: readonly Cost[]): Cost {
  return { wallMs: median(costs.map((cost) => cost.wallMs)), peakMiB: median(costs.map((cost) => cost.peakMiB)) }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** The results as a table for people. */
export function table(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.name,
    String(result.runs),
    milliseconds(result.ours.wallMs),
    milliseconds(result.theirs.wallMs),
    ratio(result.wallRatio, result.wallTarget),
    `${result.ours.peakMiB.toFixed(0)} MiB`,
    `${result.theirs.peakMiB.toFixed(0)} MiB`,
    ratio(result.memoryRatio, result.memoryTarget),
    result.met ? 'met' : 'MISSED',
  ])
  const all = [['', 'n', 'ours', 'cosign', 'ratio (target)', 'ours', 'cosign', 'ratio (target)', ''], ...rows]
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '))
    .join('\n')
}

function milliseconds(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(value < 100 ? 1 : 0)} ms`
}

function ratio(value: number, target: number | undefined): string {
  return `${value.toFixed(3)} (${target === undefined ? 'none' : `≤ ${target}`})`
}
