/** A private installation as a process of its own, as a user starts it, and what stock clients need of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { expectExit, homeFor, run, type Outcome, type RunOptions } from './command.ts'
import { peer, type PeerName } from './peers.ts'

/** The services are in the built package, not in the single-file executable. */
const command = resolve(import.meta.dirname, '../../packages/cli/bin/countersign.js')

/** A running installation. */
export type Installation = {
  readonly url: string
  /** Issuer of its identity tokens. */
  readonly issuer: string
  readonly data: string
  /** A folder to work in, with a home of its own. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly process: ChildProcess
  readonly ours: (args: readonly string[], options?: RunOptions) => Promise<Outcome>
  readonly peer: (name: PeerName, args: readonly string[], options?: RunOptions) => Promise<Outcome>
  /** An identity token of an account, which is made when it is first asked for, at `example.org`. */
  readonly token: (account: string) => Promise<string>
  readonly stop: () => Promise<void>
}

/** Starts an installation in a new folder and waits until it says that it is ready. */
export async function startInstallation(): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-installation-'))
  const data = join(folder, 'data')
  const env = homeFor(join(folder, 'home'))
  const port = await freePort()
  const url = `http://localhost:${port}`
  const child = await startServer(['--data', data, '--listen', `127.0.0.1:${port}`, '--public-url', url], folder, env)
  const made = new Set<string>()
  const ours: Installation['ours'] = (args, options = {}) =>
    run(process.execPath, [command, ...args], { cwd: folder, ...options, env: { ...env, ...options.env } })
  return {
    url,
    issuer: `${url}/oidc`,
    data,
    folder,
    env,
    process: child,
    ours,
    peer: (name, args, options = {}) => run(peer(name), args, { cwd: folder, ...options, env: { ...env, ...options.env } }),
    token: async (account) => {
      if (!made.has(account)) {
        made.add(account)
        const create = ['account', 'create', account, '--email', `${account}@example.org`, '--data', data]
        expectExit(await ours(create), 0, 'account create')
      }
      return expectExit(await ours(['token', account, '--data', data]), 0, 'token').stdout.trim()
    },
    stop: async () => {
      await stopServer(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Starts `countersign serve` and waits for its line. */
async function startServer(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [command, 'serve', ...args, '--report', 'json'], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (part: Buffer) => (errors = (errors + part.toString()).slice(-4000)))
  await new Promise<void>((ready, failed) => {
    child.stdout.on('data', (part: Buffer) => {
      if (part.toString().includes('"ready":true')) ready()
    })
    child.once('exit', (code) => failed(new CountersignError('internal', `serve ended with ${code}\n${errors}`)))
  })
  return child
}

/** SIGTERM, and the wait for the end. */
function stopServer(child: ChildProcess): Promise<number | null> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done(child.exitCode)
    child.once('exit', (code) => done(code))
    child.kill('SIGTERM')
  })
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createServer().once('error', failed)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => done(port))
    })
  })
}
