/** Servers of the whole platform as processes of their own, for benches that kill them, starve them and look at their memory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { freePort } from '@countersign/server/base/http/free-port'
import type { Fatal } from './served-program.ts'

/** How a server is started. */
export type ServerPlace = {
  readonly data: string
  readonly config: string
  readonly port: number
  readonly publicUrl: string
  readonly environment?: Readonly<Record<string, string>>
}

/** A server that answered, once. */
export type ServerProcess = {
  readonly url: string
  readonly child: ChildProcess
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** What it said on stderr, the last of it. */
  readonly said: () => string
  /** Makes it die at a step, when it gets there. Only for those started with `armed`. */
  readonly arm: (fatal: Fatal) => void
  readonly kill: () => Promise<void>
  /** Asks it to stop. Throws when it ends otherwise than well. */
  readonly stop: () => Promise<void>
}

const program = fileURLToPath(new URL('served-program.ts', import.meta.url))
const commandLine = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))
const keptOutput = 20_000

/**
 * The command line as users start it (`armed` false), or the same server with a way to die at its steps. `undefined` when it died so before it
 * was ready; throws when it ends otherwise.
 */
export async function startServer(place: ServerPlace, armed: boolean, fatal?: Fatal): Promise<ServerProcess | undefined> {
  const { child, ended, said } = launch(place, armed, fatal)
  let ready = false
  const line = new Promise<void>((resolve) => {
    let text = ''
    child.stdout?.on('data', (part: Buffer) => {
      text += part.toString()
      if (text.includes('"ready":true')) resolve()
    })
  })
  await Promise.race([line.then(() => (ready = true)), ended])
  if (!ready) {
    const { signal } = await ended
    if (signal === 'SIGKILL') return undefined
    throw new CountersignError('internal', `the server ended before it was ready:\n${said()}`)
  }
  return {
    url: `http://127.0.0.1:${place.port}`,
    child,
    ended,
    said,
    arm: (at) => {
      if (child.connected) child.send(at)
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    stop: async () => {
      child.kill('SIGTERM')
      const { code } = await ended
      if (code !== 0) throw new CountersignError('internal', `the server ended with ${code}:\n${said()}`)
    },
  }
}

/** The command line as users start it, in a folder that is empty, with that configuration document; ready when it is given. */
export async function startAlone(folder: string, configuration: string): Promise<ServerProcess> {
  const [config, port] = [join(folder, 'server.json'), await freePort('127.0.0.1')]
  writeFileSync(config, configuration)
  const server = await startServer({ data: join(folder, 'data'), config, port, publicUrl: `http://localhost:${port}` }, false)
  if (server === undefined) throw new CountersignError('internal', 'the server was killed')
  await untilReady(server, 20_000)
  return server
}

function launch(place: ServerPlace, armed: boolean, fatal: Fatal | undefined): Pick<ServerProcess, 'child' | 'ended' | 'said'> {
  const { data, config, port, publicUrl, environment = {} } = place
  const flags = ['--data', data, '--listen', `127.0.0.1:${port}`, '--public-url', publicUrl, '--config', config]
  const start = armed ? [program, ...flags] : [commandLine, 'serve', ...flags, '--report', 'json']
  const deadly = fatal === undefined ? {} : { FATAL_STEP: fatal.step, FATAL_PASS: String(fatal.pass) }
  const child = spawn(process.execPath, ['--conditions=source', ...start], {
    stdio: armed ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment, ...deadly },
  })
  let kept = ''
  child.stderr?.on('data', (part: Buffer) => {
    kept = (kept + part.toString()).slice(-keptOutput)
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  )
  return { child, ended, said: () => kept }
}

/** Waits until every service of it says that it is ready; gives how long that took, `undefined` when it ended before. Throws after the time. */
export async function untilReady({ url, said, child }: ServerProcess, withinMs: number): Promise<number | undefined> {
  const start = performance.now()
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null
  let state = 'no answer'
  while (performance.now() - start < withinMs && !over()) {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5000) }).catch(() => undefined)
    if (answer?.status === 200) return performance.now() - start
    if (answer !== undefined) state = await answer.text()
    await sleep(20)
  }
  if (over()) return undefined
  throw new CountersignError('deadline_exceeded', `not ready within ${withinMs} ms: ${state}\n${said()}`)
}
