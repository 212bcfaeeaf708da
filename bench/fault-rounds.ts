/**
 * Kills servers of the whole platform under load, at random moments and at every durable step, starts them again, and demands each time that
 * every acknowledged entry is in its log, that every checkpoint that any client saw is a beginning of the tree of now, and that no answer is
 * lost; in the end the whole installation is proven from its files and rows.
 *
 *   node --conditions=source bench/fault-rounds.ts [--rounds 200] [--postgres] [--seed N]
 *
 * `--postgres`: two servers on one database and one data folder; one is killed, and the other has to take over in under 10 seconds.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CountersignError } from '@countersign/core/failure'
import { verifyConsistency } from '@countersign/core/merkle/proof'
import { hexToBytes } from '@countersign/core/bytes'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { startPostgres } from '@countersign/testkit/postgres'
import { serverPrimitives } from '@countersign/server/base/crypto/primitives'
import { stepPlaces } from '@countersign/server/log/engine/integrate'
import { administer } from '@countersign/server/main/administer'
import { fsckInstallation } from '@countersign/server/main/fsck'
import { currentNote, type LoadPorts, type Memory, mixedLoad, readFileOf, settleOpen } from './mixed-load.ts'
import { seeded } from './mutate.ts'
import type { Fatal } from './served-program.ts'
import { freePort } from '@countersign/server/base/http/free-port'
import { type ServerPlace, type ServerProcess, startServer, untilReady } from './server-process.ts'
import { judgeOf, type LogName } from './service-answers.ts'
import { benchIssuer } from './service-requests.ts'
import { broken, logCopy, treesSeen } from './trees-seen.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, postgres: { type: 'boolean', default: false }, seed: { type: 'string' } },
})
const rounds = Number(values.rounds)
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed)
const random = seeded(seed)
const logNames: readonly LogName[] = ['rekor1', 'rekor2', 'ct']
const takeoverMs = 10_000
const readyMs = 20_000

const blobSteps = ['write', 'sync', 'name', 'sync-folder'].map((step) => `blob ${step}`)
/** Every numbered step of an entry and of the files that it becomes. */
const steps = [...['rekor2-1', 'rekor1-1', 'ct-1'].flatMap((log) => stepPlaces.map((step) => `${log} ${step}`)), ...blobSteps]

const folder = mkdtempSync(join(tmpdir(), 'countersign-faults-'))
const postgres = values.postgres ? await startPostgres({ durable: false }) : undefined
try {
  await run()
} finally {
  await postgres?.stop()
  rmSync(folder, { recursive: true, force: true })
}

type World = {
  readonly places: readonly ServerPlace[]
  readonly running: (ServerProcess | undefined)[]
  readonly ports: LoadPorts
  readonly copies: Readonly<Record<'rekor2' | 'ct', ReturnType<typeof logCopy>>>
  readonly takeovers: number[]
  readonly starts: number[]
  lastDead: number
}

async function run(): Promise<void> {
  const world = await openWorld()
  say(`seed ${seed}, ${rounds} rounds, ${world.places.length} server(s), ${values.postgres ? 'PostgreSQL' : 'SQLite'}`)
  const began = performance.now()
  try {
    for (let round = 0; round < rounds; round++) {
      const what = await oneRound(world, round)
      say(`${round + 1}/${rounds} ${what}: ${describe(world.ports.memory)}`)
    }
    await stopAll(world)
    await prove(world)
  } finally {
    for (const server of world.running) server?.child.kill('SIGKILL')
  }
  const { takeovers, starts, ports } = world
  const most = (list: readonly number[]): string => {
    const sorted = list.toSorted((a, b) => a - b).map((ms) => `${(ms / 1000).toFixed(1)} s`)
    return `${sorted.at(-1) ?? 'never'} (half of them ${sorted[Math.floor(sorted.length / 2)] ?? 'never'})`
  }
  say(
    `${rounds} rounds in ${((performance.now() - began) / 1000).toFixed(0)} s: nothing lost, nothing contradicted. ${describe(ports.memory)}`,
  )
  say(
    `ready again after at most ${most(starts)}${takeovers.length === 0 ? '' : `; ${takeovers.length} takeovers, the slowest ${most(takeovers)}`}`,
  )
}

async function openWorld(): Promise<World> {
  const issuer = benchIssuer()
  const port = await freePort('127.0.0.1')
  const publicUrl = `http://localhost:${port}`
  const config = join(folder, 'server.json')
  writeFileSync(config, issuer.configuration(postgres === undefined ? {} : { database: { kind: 'postgres', url: 'env:DATABASE_URL' } }))
  const environment = postgres === undefined ? {} : { DATABASE_URL: await postgres.database() }
  const data = join(folder, 'data')
  const place: ServerPlace = { data, config, port, publicUrl, environment }
  const places = postgres === undefined ? [place] : [place, { ...place, port: await freePort('127.0.0.1') }]
  const running: (ServerProcess | undefined)[] = []
  for (const one of places) running.push(await startServer(one, true))
  const memory: Memory = {
    seen: { rekor1: treesSeen('rekor1'), rekor2: treesSeen('rekor2'), ct: treesSeen('ct') },
    open: [],
    ids: [],
    counts: {},
    last: { rekor1: 0, rekor2: 0, ct: 0 },
  }
  const servers = (): readonly string[] => running.flatMap((server) => (server === undefined ? [] : [server.url]))
  for (const server of running) if (server !== undefined) await untilReady(server, readyMs)
  const root = parseTrustedRoot(await (await fetch(`${servers()[0]}/kit/trusted_root.json`)).text())
  const ports: LoadPorts = { judge: judgeOf(root, `localhost:${port}/ct`), memory, issuer, servers }
  const copies = {
    rekor2: logCopy('rekor2', 'entries', (path) => readFileOf(ports, `/rekor2/api/v2/${path}`)),
    ct: logCopy('ct', 'data', (path) => readFileOf(ports, `/ct/${path}`)),
  }
  return { places, running, ports, copies, takeovers: [], starts: [], lastDead: 0 }
}

/** Load, a death, a new start, and everything that must hold after it. */
async function oneRound(world: World, round: number): Promise<string> {
  const { running, ports } = world
  const step = round % 2 === 0 ? undefined : steps[((round - 1) / 2) % steps.length]
  // Whoever lived through the last death sequences now: the next one is his.
  const victim = running.length - 1 - world.lastDead
  let over = false
  const load = mixedLoad(ports, () => over)
  // A broken promise ends the round at once; it is told when the load is waited for.
  load.catch(() => (over = true))
  const died = Promise.race(running.flatMap((server, i) => (server === undefined ? [] : [server.ended.then(() => i)])))
  await sleep(200 + random.below(1500))
  if (step !== undefined) for (const server of running) server?.arm({ step, pass: 1 + random.below(4) })
  else await running[victim]?.kill()
  const dead = await Promise.race([died, sleep(8000)])
  if (dead === undefined) throw broken(`no server came to the step ${step}`)
  world.lastDead = dead
  await buryDead(world)
  if (running.some((server) => server !== undefined)) await takenOver(world)
  over = true
  await load
  await revive(world, round)
  await settleOpen(ports)
  await examine(world)
  return step === undefined ? `kill -9 of ${dead}` : `death ${step}`
}

/** Whoever ended is no server any more; a second one may have come to the same step. */
async function buryDead({ running }: World): Promise<void> {
  for (const [i, server] of running.entries()) {
    if (server === undefined || (server.child.exitCode === null && server.child.signalCode === null)) continue
    const { signal } = await server.ended
    if (signal !== 'SIGKILL') throw broken(`a server ended by itself:\n${server.said()}`)
    running[i] = undefined
  }
}

/** The other process must go on with every log, from now on within the time. */
async function takenOver({ ports: { memory }, takeovers, running }: World): Promise<void> {
  for (const server of running) server?.arm({ step: 'never', pass: 1 })
  const start = performance.now()
  // Answers that left the one that died are still read: what counts as taken over was asked for later.
  const from = start + 200
  while (performance.now() - start < takeoverMs) {
    if (logNames.every((log) => memory.last[log] > from)) {
      takeovers.push(performance.now() - start)
      return
    }
    await sleep(10)
  }
  const state = logNames.map((log) => `${log} ${Math.round(memory.last[log] - start)}`).join(', ')
  const said = running.map((server) => server?.said() ?? '').join('\n')
  throw broken(`not taken over within ${takeoverMs} ms: ${state}\n${said}`)
}

async function revive(world: World, round: number): Promise<void> {
  for (const [i, place] of world.places.entries()) {
    if (world.running[i] !== undefined) continue
    // Every third start dies while it recovers, before the one that lives; the command line as users have it comes in turn.
    const fatal: Fatal | undefined = round % 3 === 0 ? { step: steps[random.below(24)] as string, pass: 1 } : undefined
    if (fatal !== undefined) await dieRecovering(place, fatal)
    const nextArmed = (round + 1) % 2 === 1
    const start = performance.now()
    const server = await startServer(place, nextArmed || values.postgres)
    if (server === undefined) throw broken('a server was killed by somebody else')
    world.running[i] = server
    if ((await untilReady(server, readyMs)) === undefined) throw broken(`a server ended by itself:\n${server.said()}`)
    world.starts.push(performance.now() - start)
  }
}

async function dieRecovering(place: ServerPlace, fatal: Fatal): Promise<void> {
  const server = await startServer(place, true, fatal)
  if (server === undefined) return
  await sleep(random.below(300))
  await server.kill()
}

/** Every tree that was seen is a beginning of the one of now; every entry is in it, with a proof. */
async function examine({ ports, copies }: World): Promise<void> {
  const { judge, memory } = ports
  for (const log of ['rekor2', 'ct'] as const) {
    const note = (await currentNote(ports, log)) ?? ''
    await copies[log].follow(await judge.checkpoint(log, note), memory.seen[log])
  }
  const now = await judge.checkpoint('rekor1', (await currentNote(ports, 'rekor1')) ?? '')
  for (const id of memory.ids.splice(0)) {
    const text = Buffer.from(await readFileOf(ports, `/rekor/api/v1/log/entries/${id}`)).toString()
    const { index, leafHash, tree } = await judge.rekor1(text)
    memory.seen.rekor1.entry(index, leafHash)
    if ((tree?.size ?? 0) < now.size) throw broken(`rekor1: the proof of ${id} is in an older tree`)
  }
  const trees = memory.seen.rekor1.trees().filter(({ size }) => size > 0)
  for (const tree of [...trees.slice(-20), ...trees.slice(0, 5)]) {
    if (tree.size > now.size) throw broken(`rekor1: a tree of ${tree.size} entries was signed, now there are ${now.size}`)
    const path = `/rekor/api/v1/log/proof?firstSize=${tree.size}&lastSize=${now.size}`
    const { hashes } = JSON.parse(Buffer.from(await readFileOf(ports, path)).toString()) as { readonly hashes: readonly string[] }
    const claim = { oldSize: tree.size, oldRoot: tree.rootHash, newSize: now.size, newRoot: now.rootHash, hashes: hashes.map(hexToBytes) }
    if (!(await verifyConsistency(serverPrimitives, claim)))
      throw broken(`rekor1: the tree of ${tree.size} entries is no beginning of that of ${now.size}`)
  }
  memory.seen.rekor1.tree(now)
}

async function stopAll({ running }: World): Promise<void> {
  for (const [i, server] of running.entries()) {
    running[i] = undefined
    await server?.stop()
  }
}

/** The whole installation from what is stored, against everything that clients saw. */
async function prove({ places, ports: { memory } }: World): Promise<void> {
  const [place] = places
  if (place === undefined) return
  const request = {
    data: place.data,
    config: place.config,
    access: { environment: { ...process.env, ...place.environment } },
    workingFolder: folder,
    clock: Date.now,
    log: say,
  }
  const names = { rekor1: 'rekor1-1', rekor2: 'rekor2-1', ct: 'ct-1' }
  const seen = new Map(logNames.map((log) => [names[log], memory.seen[log].trees()]))
  const proof = await administer(request, 'alone', (installation) => fsckInstallation(installation, { seen }))
  if (!proof.ok) throw new CountersignError('log_damaged', `${proof.damage?.where}: ${proof.damage?.detail}`)
  for (const { name, size } of proof.logs) say(`proven: ${name}, ${size} entries`)
}

function describe({ counts, seen }: Memory): string {
  const trees = logNames.reduce((sum, log) => sum + seen[log].trees().length, 0)
  return `${Object.entries(counts)
    .map(([what, number]) => `${number} ${what}`)
    .join(', ')}, ${trees} trees seen`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
