/** Runs commands as a user's shell does, ours from the built command line, away from the configuration of whoever runs the tests. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { peer } from './peers.ts'

/** What a command left behind. `code` is -1 when a signal ended it. */
export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** What a command gets beside its arguments. */
export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly cwd?: string
  readonly killAfterMs?: number
}

/** The password of every key in this suite. */
export const password = 'pw'

/** The command line under test: as built in this checkout, or another build that COUNTERSIGN_CLI names (a script, or an executable). */
export const binary: string = process.env['COUNTERSIGN_CLI'] ?? resolve(import.meta.dirname, '../../packages/cli/bin/countersign.js')

/** Runs a program to its end. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((done, failed) => {
    const child = spawn(file, args, { cwd: options.cwd, env: { PATH: process.env['PATH'], ...options.env }, stdio: 'pipe' })
    const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
    child.stdout.on('data', (part: Buffer) => parts.stdout.push(part))
    child.stderr.on('data', (part: Buffer) => parts.stderr.push(part))
    child.stdin.on('error', () => child.stdin.destroy())
    child.stdin.end(options.input ?? '')
    const killer = options.killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), options.killAfterMs)
    child.on('error', failed)
    child.on('close', (code) => {
      clearTimeout(killer)
      done({ code: code ?? -1, stdout: Buffer.concat(parts.stdout).toString(), stderr: Buffer.concat(parts.stderr).toString() })
    })
  })
}

/** A home of its own for a run of tests, with no configuration in it. */
export function homeFor(folder: string): Readonly<Record<string, string>> {
  mkdirSync(folder, { recursive: true })
  return {
    HOME: folder,
    XDG_CONFIG_HOME: `${folder}/config`,
    XDG_CACHE_HOME: `${folder}/cache`,
    DOCKER_CONFIG: folder,
    TUF_ROOT: `${folder}/tuf`,
    COSIGN_PASSWORD: password,
    NO_COLOR: '1',
  }
}

/** The two signers and verifiers of the matrix. */
export type Tool = 'ours' | 'cosign'

/** Runs one of the two with arguments that both understand. */
export function runTool(tool: Tool, args: readonly string[], options: RunOptions): Promise<Outcome> {
  if (tool === 'cosign') return run(peer('cosign'), args, options)
  return binary.endsWith('.js') ? run(process.execPath, [binary, ...args], options) : run(binary, args, options)
}

/** An outcome as a text to compare: `exit 0`, or the exit code with what the command said. */
export function shown(outcome: Outcome): string {
  return outcome.code === 0 ? 'exit 0' : `exit ${outcome.code}\n${outcome.stderr}`
}

/** Throws `internal` with everything that the command said unless it exited as expected. */
export function expectExit(outcome: Outcome, code: number, what: string): Outcome {
  if (outcome.code === code) return outcome
  throw new CountersignError(
    'internal',
    `${what}: exit ${outcome.code}, expected ${code}\n${outcome.stderr}\n${outcome.stdout.slice(0, 2000)}`,
  )
}
