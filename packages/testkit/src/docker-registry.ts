/** The real docker-registry 2.8.3 (no referrers API, no compare-and-swap) on loopback, with a storage folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { freePort } from '@countersign/server/base/http/free-port'
import { findPeer } from './peers.ts'

/** A running registry. */
export type DockerRegistry = {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly pid: number
  /** Ends the process and removes its storage. */
  readonly stop: () => Promise<void>
}

const startMs = 20_000

/** Starts docker-registry; `undefined` when this machine does not have it. Throws `internal` when it does not come up. */
export async function startDockerRegistry(): Promise<DockerRegistry | undefined> {
  const binary = findPeer('docker-registry')
  if (binary === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'docker-registry-'))
  const host = `127.0.0.1:${await freePort('127.0.0.1')}`
  const config = join(folder, 'config.yml')
  await writeFile(config, configuration(host, join(folder, 'storage')))
  const child = spawn(binary, ['serve', config], { stdio: 'ignore' })
  const stop = async (): Promise<void> => {
    await end(child)
    await rm(folder, { recursive: true, force: true })
  }
  if (!(await answers(host, child))) {
    await stop()
    throw new CountersignError('internal', 'docker-registry did not come up')
  }
  return { host, pid: child.pid as number, stop }
}

/** `delete` is on so that tests can clean; the log is off, since it would be the slowest part. */
function configuration(host: string, storage: string): string {
  return [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${JSON.stringify(storage)} }, delete: { enabled: true } }`,
    `http: { addr: ${JSON.stringify(host)} }`,
    '',
  ].join('\n')
}

async function answers(host: string, child: ChildProcess): Promise<boolean> {
  const end = performance.now() + startMs
  while (performance.now() < end && child.exitCode === null && child.pid !== undefined) {
    const status = await fetch(`http://${host}/v2/`).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await ended
  clearTimeout(timer)
}
