/** A private installation as a process of its own, as a user starts it, and what stock clients need of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { freePort } from '@countersign/server/base/http/free-port'
import { type RecordingProxy, startRecordingProxy } from '@countersign/testkit/recording-proxy'
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
  /** Stands at the public URL: sees every request of every client. */
  readonly proxy: RecordingProxy
  readonly ours: (args: readonly string[], options?: RunOptions) => Promise<Outcome>
  readonly peer: (name: PeerName, args: readonly string[], options?: RunOptions) => Promise<Outcome>
  /** An identity token of an account, which is made when it is first asked for, at `example.org`. */
  readonly token: (account: string) => Promise<string>
  /** `METHOD /path status` of every request since this was last asked, hashes as `<h>`. */
  readonly requests: () => readonly string[]
  /** A file with the signing config of the installation that lists the log of one version. */
  readonly signingConfig: (version: 1 | 2) => Promise<string>
  readonly stop: () => Promise<void>
}

/** Starts an installation in a new folder and waits until it says that it is ready. */
export async function startInstallation(): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-installation-'))
  const data = join(folder, 'data')
  const env = homeFor(join(folder, 'home'))
  const port = await freePort('127.0.0.1')
  const proxy = await startRecordingProxy(`http://127.0.0.1:${port}`)
  const { url } = proxy
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
    proxy,
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
    requests: () => proxy.taken().map(({ method, path, status }) => `${method} ${path.replaceAll(/[0-9a-f]{64,80}/g, '<h>')} ${status}`),
    signingConfig: async (version) => {
      const config = JSON.parse(await (await fetch(`${url}/kit/signing_config.json`)).text()) as {
        rekorTlogUrls: { majorApiVersion: number }[]
      }
      const only = config.rekorTlogUrls.filter(({ majorApiVersion }) => majorApiVersion === version)
      writeFileSync(join(folder, `v${version}.json`), JSON.stringify({ ...config, rekorTlogUrls: only }))
      return `v${version}.json`
    },
    stop: async () => {
      await stopServer(child)
      await proxy.stop()
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
