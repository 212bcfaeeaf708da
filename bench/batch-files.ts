/**
 * Measures one run over many local files, each with its bundle: files per second, and peak memory, which must not grow with their number.
 * Beside it, a loop of cosign 3.1.1 over a sample.
 *
 *   node --conditions=source bench/batch-files.ts [--files 10000] [--sample 50] [--runs 3] [--source] [--keep FOLDER]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { utf8 } from '@countersign/core/bytes'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { signBlob } from '@countersign/sdk/blob/sign'
import { bytesBlobSource } from '@countersign/sdk/blob/source'
import { testSigner } from '@countersign/testkit/image-fixture'
import { binary } from '../test/interop/command.ts'
import { peer } from '../test/interop/peers.ts'
import { makeWorld } from '../test/interop/world.ts'
import { type Command, type Cost, costOf, medianCost } from './measure.ts'

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    sample: { type: 'string', default: '50' },
    runs: { type: 'string', default: '3' },
    /** The sources in place of the built command. */
    source: { type: 'boolean', default: false },
  },
})
const [files, sample, runs] = [values.files, values.sample, values.runs].map(Number) as [number, number, number]
const command = values.source ? ['--conditions=source', resolve(import.meta.dirname, '../packages/cli/src/main.ts')] : [binary]
const world = makeWorld()

/** Megabytes that one run over ten thousand files may take at most, and how much more than one over a thousand. */
const targets = { peakMiB: 200, growth: 1.5 }

/** The medians of several runs, after one that is not counted where there are several. */
async function measured(one: Command, times: number): Promise<Cost> {
  const costs: Cost[] = []
  for (let round = times > 1 ? -1 : 0; round < times; round++) {
    const cost = await costOf(one)
    if (round >= 0) costs.push(cost)
  }
  return medianCost(costs)
}

try {
  const signer = testSigner()
  const publicKey = world.file('team.pub', encodePublicKeyPem(signer.publicKey))
  const folders = [Math.round(files / 10), files].map((count) => ({ count, folder: join(world.folder, `files-${count}`) }))
  for (const { count, folder } of folders) {
    mkdirSync(folder)
    for (let at = 0; at < count; at++) {
      const bytes = utf8(`file ${at} of ${count}\n`.repeat(200))
      const { bundle } = await signBlob(bytesBlobSource(`${at}`, bytes), signer)
      writeFileSync(join(folder, `${at}.bin`), bytes)
      writeFileSync(join(folder, `${at}.bin.sigstore.json`), bundle)
    }
  }
  const ours = (folder: string): Command => ({
    file: process.execPath,
    args: [...command, 'verify-blob', '--key', publicKey, '-f', folder],
    env: world.env,
  })
  const results = []
  for (const { count, folder } of folders) {
    const costs = await measured(ours(folder), runs)
    results.push({ count, wallMs: costs.wallMs, peakMiB: costs.peakMiB, perSecond: Math.round((count / costs.wallMs) * 1000) })
  }
  const first = folders[0]?.folder ?? ''
  const flags = ['verify-blob', '--key', publicKey, '--insecure-ignore-tlog', '--bundle']
  let theirs = 0
  for (let at = 0; at < sample; at++) {
    const file = join(first, `${at}.bin`)
    theirs += (await measured({ file: peer('cosign'), args: [...flags, `${file}.sigstore.json`, file], env: world.env }, 1)).wallMs
  }
  const [small, large] = results
  const perFile = theirs / sample
  for (const { count, wallMs, peakMiB, perSecond } of results)
    process.stdout.write(`${count} files: ${Math.round(wallMs)} ms, ${perSecond} files/s, peak ${Math.round(peakMiB)} MiB\n`)
  const ratio = (large?.wallMs ?? 0) / files / perFile
  process.stdout.write(`a loop of cosign: ${perFile.toFixed(1)} ms a file (${sample} files); ours/cosign ${ratio.toFixed(4)}\n`)
  const growth = (large?.peakMiB ?? 0) / (small?.peakMiB ?? 1)
  const good = (large?.peakMiB ?? 0) <= targets.peakMiB && growth <= targets.growth
  process.stdout.write(
    `peak memory grows by ${growth.toFixed(2)} from ${small?.count ?? 0} to ${files} files: ${good ? 'good' : `NOT within ${JSON.stringify(targets)}`}\n`,
  )
  const report = {
    when: new Date().toISOString(),
    cpu: cpus()[0]?.model,
    load: loadavg()[0],
    node: process.version,
    results,
    cosignMsPerFile: perFile,
    ratio,
    growth,
  }
  mkdirSync(resolve(import.meta.dirname, 'results'), { recursive: true })
  writeFileSync(
    resolve(import.meta.dirname, 'results', `batch-files-${report.when.replaceAll(/[:.]/g, '-')}.json`),
    `${JSON.stringify(report, undefined, 2)}\n`,
  )
} finally {
  world.remove()
}
