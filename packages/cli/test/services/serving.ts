import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { onTestFinished } from 'vitest'

const main = resolve(import.meta.dirname, '../../src/main.ts')
const environment = { ...process.env, COUNTERSIGN_PROFILE: 'none', COUNTERSIGN_PASSWORD: '', NO_COLOR: '1' }

/** A folder that ends with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-cli-services-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What one run of the command gave. */
export type Outcome = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

/**
 * Runs the command. Not synchronously: a process that stands still while a server ends its idle connections would send its next request into one
 * of these.
 */
export async function countersign(folder: string, ...args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (part: string) => (output.stdout += part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => (output.stderr += part))
  const status = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', (code) => resolve(code)))
  return { status, ...output }
}

/** The line that `serve --report json` prints. */
export type ReadyLine = {
  readonly ready: true
  readonly publicUrl: string
  readonly pid: number
  readonly addresses: Readonly<Record<string, string>>
}

/** A running `serve --report json`, ready. It ends with the test. */
export async function startServer(
  folder: string,
  ...args: readonly string[]
): Promise<{
  readonly ready: ReadyLine
  readonly process: ChildProcess
  /** Everything that it printed so far. */
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<number | null>
}> {
  const words = ['--conditions=source', main, 'serve', '--data', 'platform', '--listen', '127.0.0.1:0', '--report', 'json', ...args]
  const server = spawn(process.execPath, words, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  const ended = new Promise<number | null>((resolve) => server.once('exit', (code) => resolve(code)))
  onTestFinished(() => void server.kill('SIGKILL'))
  server.stderr.on('data', (chunk) => (output.stderr += String(chunk)))
  await new Promise<void>((resolve, reject) => {
    server.stdout.on('data', (chunk) => {
      output.stdout += String(chunk)
      if (output.stdout.includes('\n')) resolve()
    })
    server.once('exit', () => reject(new TypeError(`the server ended: ${output.stderr}`)))
  })
  return { ready: JSON.parse(output.stdout) as ReadyLine, process: server, output, ended }
}
