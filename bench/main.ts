/**
 * Measures the command line side by side with cosign 3.1.1, prints a table and writes `bench/results/*.json`.
 *
 *   npm run bench [-- --only files,loopback,network,many,binary,images,verdicts,bundles]
 *     [--runs 11] [--mebibytes 1024] [--delay 30] [--signatures 100] [--images 200]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { expectExit, run as runCommand } from '../test/interop/command.ts'
import { peer } from '../test/interop/peers.ts'
import { startRegistries } from '../test/interop/registries.ts'
import { makeWorld } from '../test/interop/world.ts'
import { groups, type Ground } from './contests.ts'
import { compare, table, type Result } from './measure.ts'
import { rateLines, type Rate } from './rates.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '11' },
    mebibytes: { type: 'string', default: '1024' },
    delay: { type: 'string', default: '30' },
    signatures: { type: 'string', default: '100' },
    images: { type: 'string', default: '200' },
  },
})
const scale = {
  runs: Number(values.runs),
  mebibytes: Number(values.mebibytes),
  delayMs: Number(values.delay),
  signatures: Number(values.signatures),
  images: Number(values.images),
}
const wanted = values.only?.split(',')

const results: Result[] = []
const rates: Rate[] = []
let made: Promise<Standing> | undefined
try {
  for (const group of groups(scale)) {
    if (wanted?.includes(group.name) === false) continue
    if ('rates' in group) {
      const measured = await group.rates()
      rates.push(...measured)
      process.stderr.write(`${rateLines(measured)}\n`)
      continue
    }
    const { ground } = await (made ??= makeGround())
    if ('results' in group) {
      const measured = await group.results(ground)
      results.push(...measured)
      process.stderr.write(`${table(measured)}\n`)
      continue
    }
    const { contests, close } = await group.prepare(ground)
    for (const contest of contests) {
      const result = await compare(contest)
      results.push(result)
      process.stderr.write(`${table([result])}\n`)
    }
    await close?.()
  }
} finally {
  await (await made)?.close()
}

type Standing = { readonly ground: Ground; readonly close: () => Promise<void> }

/** Registries and a key of cosign, for those groups that need them. */
async function makeGround(): Promise<Standing> {
  const world = makeWorld()
  const registries = await startRegistries()
  expectExit(await world.tool('cosign', ['generate-key-pair', '--output-key-prefix', 'bench']), 0, 'cosign generate-key-pair')
  const ground: Ground = { world, registries, key: join(world.folder, 'bench.key'), publicKey: join(world.folder, 'bench.pub') }
  return {
    ground,
    close: async () => {
      await registries.close()
      world.remove()
    },
  }
}

if (rates.length > 0) process.stdout.write(`${rateLines(rates)}\n`)
if (results.length > 0) process.stdout.write(`${table(results)}\n`)
const version = await runCommand(peer('cosign'), ['version', '--json'])
const report = {
  when: new Date().toISOString(),
  machine: { cpu: cpus()[0]?.model, cpus: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), load: loadavg()[0] },
  node: process.version,
  cosign: (JSON.parse(version.stdout) as { gitVersion?: string }).gitVersion,
  scale,
  results,
  rates,
}
const folder = resolve(import.meta.dirname, 'results')
mkdirSync(folder, { recursive: true })
const file = join(folder, `${report.when.replaceAll(/[:.]/g, '-')}.json`)
writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
process.stdout.write(`written to ${file}\n`)
process.exitCode = [...results, ...rates].every(({ met }) => met) ? 0 : 1
