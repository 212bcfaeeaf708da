/**
 * Mutates real samples and feeds them to every parser and to the verifier. A mutant may be accepted or refused with a code; it may not
 * crash with anything else, take longer than 50 ms, or be accepted as something that no original is.
 *
 *   npm run fuzz [-- --mutants 200000] [--seed N] [--only NAME]
 *
 * The same seed gives the same mutants. A finding is written to `bench/results/`; exit 1.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { CountersignError } from '@countersign/core/failure'
import { authorityTargets } from './ca-targets.ts'
import { FuzzFinding, parserTargets, verifierTarget, type Target } from './fuzz-targets.ts'
import { mutant, seeded } from './mutate.ts'
import { collectSamples } from './samples.ts'

const { values } = parseArgs({
  options: { mutants: { type: 'string', default: '200000' }, seed: { type: 'string' }, only: { type: 'string' } },
})
const mutants = Number(values.mutants)
const seed = values.seed === undefined ? (Date.now() ^ (process.pid << 8)) >>> 0 : Number(values.seed) >>> 0
const slowMs = 50

type Tally = { accepted: number; refused: number; slowest: number; readonly codes: Map<string, number>; findings: number }

const targets = [...parserTargets(await collectSamples()), ...(await authorityTargets()), await verifierTarget(Date.now())].filter(
  (target) => values.only === undefined || target.name.includes(values.only),
)
process.stdout.write(`seed ${seed}, ${mutants} mutants each\n`)
let findings = 0
for (const target of targets) {
  const start = performance.now()
  const tally = await fuzz(target)
  findings += tally.findings
  const codes = [...tally.codes].sort((a, b) => b[1] - a[1])
  const top = codes.slice(0, 4).map(([code, count]) => `${code} ${count}`)
  process.stdout.write(
    `${target.name.padEnd(24)} ${target.samples.length} samples: ${tally.accepted} accepted, ${tally.refused} refused (${top.join(', ')}${codes.length > 4 ? ', …' : ''}), ` +
      `slowest ${tally.slowest.toFixed(1)} ms, ${tally.findings} findings, ${((performance.now() - start) / 1000).toFixed(1)} s\n`,
  )
}
process.stdout.write(findings === 0 ? 'no findings\n' : `${findings} findings, in bench/results\n`)
process.exitCode = findings === 0 ? 0 : 1

async function fuzz(target: Target): Promise<Tally> {
  const random = seeded(seed ^ hashOf(target.name))
  const tally: Tally = { accepted: 0, refused: 0, slowest: 0, codes: new Map(), findings: 0 }
  for (let index = 0; index < mutants; index++) {
    const sample = target.samples[random.below(target.samples.length)]
    const other = target.samples[random.below(target.samples.length)]
    if (sample === undefined || other === undefined) throw new CountersignError('internal', `no samples for ${target.name}`)
    const bytes = mutant(sample, other, random)
    const finding = await feed(target, bytes, sample, tally)
    if (finding === undefined) continue
    tally.findings++
    report(target, index, bytes, finding)
    if (tally.findings >= 20) break
  }
  return tally
}

/** Runs one mutant; says what is wrong, if anything is. */
async function feed(target: Target, bytes: Uint8Array, sample: Uint8Array, tally: Tally): Promise<string | undefined> {
  const first = await timed(target, bytes, sample)
  let { ms } = first
  // A pause of the machine or of the collector is not the parser's: what is slow must be slow each time.
  for (let again = 0; again < 3 && ms > slowMs; again++) ms = Math.min(ms, (await timed(target, bytes, sample)).ms)
  tally.slowest = Math.max(tally.slowest, ms)
  const { error } = first
  if (error === undefined) tally.accepted++
  else if (error instanceof CountersignError && error.code !== 'internal') {
    tally.refused++
    tally.codes.set(error.code, (tally.codes.get(error.code) ?? 0) + 1)
  } else if (error instanceof FuzzFinding) return error.detail
  else return `threw ${error instanceof Error ? (error.stack ?? error.message) : typeof error}`
  return ms > slowMs ? `took ${ms.toFixed(0)} ms` : undefined
}

async function timed(target: Target, bytes: Uint8Array, sample: Uint8Array): Promise<{ ms: number; error?: unknown }> {
  const start = performance.now()
  try {
    const result = target.run(bytes, sample)
    if (typeof result !== 'boolean') await result
    return { ms: performance.now() - start }
  } catch (error) {
    return { ms: performance.now() - start, error }
  }
}

function report(target: Target, index: number, bytes: Uint8Array, finding: string): void {
  const folder = resolve(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `finding-${target.name.replaceAll(/[^a-z0-9]+/gi, '-')}-${seed}-${index}.bin`)
  writeFileSync(file, bytes)
  process.stdout.write(`FINDING in ${target.name}, seed ${seed}, mutant ${index} (${bytes.length} bytes, ${file}):\n  ${finding}\n`)
}

function hashOf(name: string): number {
  let hash = 0x811c9dc5
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return hash >>> 0
}
