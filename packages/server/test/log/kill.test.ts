import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { base64ToBytes } from '@countersign/core/base64'
import { openPostgres } from '../../src/base/database/postgres.ts'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { soleLeases } from '../../src/base/leases/sole-leases.ts'
import { stepPlaces } from '../../src/log/engine/integrate.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import { audit, entryOf, extendsTree, newLogPlace, type LogPlace } from './logs.ts'

/** As many as a bench wants; a dozen otherwise. */
const rounds = Number(process.env.LOG_KILL_ROUNDS ?? '12')
const program = fileURLToPath(new URL('child.ts', import.meta.url))

type Acknowledged = { readonly text: string; readonly index: number; readonly size: number; readonly root: string }

function seal(place: LogPlace): void {
  writeFileSync(join(place.folder, 'key.pem'), place.key.privateKey.export({ type: 'pkcs8', format: 'pem' }))
}

/** Runs a child until it dies: by itself at a step, or killed after a time. Gives what it acknowledged. */
async function lifeOf(env: Record<string, string>, killAfterMs?: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, ['--conditions=source', program], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  let timer: NodeJS.Timeout | undefined
  child.stdout.on('data', (part: Buffer) => {
    output += part.toString()
    if (killAfterMs !== undefined) timer ??= setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  })
  const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)))
  clearTimeout(timer)
  expect(signal).toBe('SIGKILL')
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Acknowledged)
}

async function demandAll(log: OpenTreeLog, all: readonly Acknowledged[]): Promise<void> {
  const texts = await audit(log)
  expect(new Set(texts).size).toBe(texts.length)
  expect(all.filter(({ index, text }) => texts[index] !== text)).toEqual([])
  const seen = new Map(all.map((one) => [one.size, one]))
  for (const { size, root } of seen.values()) {
    expect(await extendsTree(log, { size, rootHash: base64ToBytes(root), note: '', signedAt: 0 })).toBe(true)
  }
}

describe('kill -9 of the process that keeps a log', () => {
  it(`loses no acknowledged entry and contradicts no checkpoint in ${rounds} rounds`, { timeout: 20_000 + rounds * 8_000 }, async () => {
    const place = await newLogPlace()
    seal(place)
    await createTreeLog(place.options())
    const all: Acknowledged[] = []
    for (let round = 0; round < rounds; round++) {
      const step = stepPlaces[round % (stepPlaces.length + 1)]
      const env = { LOG_FOLDER: place.folder, LOG_ROUND: String(round) }
      const passes = String(1 + (round % 5))
      all.push(
        ...(step === undefined ? await lifeOf(env, 40 + 30 * (round % 7)) : await lifeOf({ ...env, LOG_STEP: step, LOG_PASSES: passes })),
      )
    }
    const log = await openTreeLog(place.options({ leases: soleLeases(Date.now) }))
    await log.add(entryOf('at last'))
    await demandAll(log, all)
    expect(all.length).toBeGreaterThan(rounds)
    await log.close()
    await place.remove()
  })
})

describe('two processes on one database', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startPostgres()
  }, 60_000)
  afterAll(async () => postgres.stop())

  it('take over within 10 seconds of a kill -9, without a fork, a gap or a lost answer', { timeout: 180_000 }, async () => {
    const url = await postgres.database()
    const database = await openPostgres({ url })
    const place = await newLogPlace({ database })
    seal(place)
    await createTreeLog(place.options())
    const child = spawn(process.execPath, ['--conditions=source', program], {
      env: { ...process.env, LOG_FOLDER: place.folder, LOG_POSTGRES: url },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const all: Acknowledged[] = []
    let rest = ''
    child.stdout.on('data', (part: Buffer) => {
      const lines = (rest + part.toString()).split('\n')
      rest = lines.pop() ?? ''
      all.push(...lines.map((line) => JSON.parse(line) as Acknowledged))
    })
    await expect.poll(() => all.length, { timeout: 60_000 }).toBeGreaterThan(20)
    const log = await openTreeLog(place.options())
    const own: { text: string; index: number }[] = []
    const send = async (text: string): Promise<void> => {
      const { index } = await log.add(entryOf(text))
      own.push({ text, index })
    }
    await Promise.all(Array.from({ length: 20 }, (_, i) => send(`before ${i}`)))
    expect(log.sequencing()).toBe(false)
    // These are on their way when the sequencer dies.
    const during = Promise.all(Array.from({ length: 30 }, (_, i) => send(`during ${i}`)))
    const killed = performance.now()
    child.kill('SIGKILL')
    await during
    expect(performance.now() - killed).toBeLessThan(10_000)
    await expect.poll(() => log.sequencing()).toBe(true)
    await Promise.all(Array.from({ length: 20 }, (_, i) => send(`after ${i}`)))
    await demandAll(log, all)
    const texts = await audit(log)
    expect(own).toHaveLength(70)
    expect(own.filter(({ text, index }) => texts[index] !== text)).toEqual([])
    await log.close()
    await place.remove()
  })
})
