/** The `openssl` command as an oracle, where this machine has it. */
import { execFileSync, spawnSync } from 'node:child_process'

const program = 'openssl'

/** Why tests that need the command are skipped; part of their name, so that a summary shows it. */
export const needsOpenssl = '(skipped where there is no openssl command)'

/** Whether the command is there. */
export const hasOpenssl: boolean = spawnSync(program, ['version'], { stdio: 'ignore' }).status === 0

/** Runs the command in a folder; returns what it printed. */
export function openssl(folder: string, ...options: readonly string[]): string {
  return execFileSync(program, options, { stdio: 'pipe', cwd: folder }).toString()
}
