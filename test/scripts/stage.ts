/** Where transcripts and guides are played: commands as a user types them, and nothing of this machine beside the tools of its system. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** What a command left behind; `exit` is 128 when a signal ended it. */
type Played = { readonly stdout: string; readonly stderr: string; readonly exit: number }

/** A folder of commands, and how to run a text of the shell with them. */
export type Stage = {
  readonly root: string
  /** Makes a further command of a file that stands on its own, e.g. a peer. */
  readonly link: (name: string, target: string) => void
  /** Runs a text in a folder below the root, with `HOME` in that folder. */
  readonly play: (place: string, text: string, env?: Readonly<Record<string, string>>) => Promise<Played>
  readonly remove: () => void
}

/** Programs of the tests that stand beside the command; each says in its own file what it takes. */
const tools = ['make-image', 'push-image', 'make-tuf-mirror', 'spoil-index']

/** The words that start the command line under test: its sources, or another build that `COUNTERSIGN_CLI` names (a script or an executable). */
function commandUnderTest(environment: Readonly<Record<string, string | undefined>> = process.env): readonly string[] {
  const other = environment['COUNTERSIGN_CLI']
  if (other === undefined) return [process.execPath, '--conditions=source', resolve(import.meta.dirname, '../../packages/cli/src/main.ts')]
  return other.endsWith('.js') ? [process.execPath, resolve(other)] : [resolve(other)]
}

/** Whether the command line under test can serve: the executable is the client alone. */
export const hasServices: boolean = (process.env['COUNTERSIGN_CLI'] ?? '.js').endsWith('.js')

/** Makes a stage in a folder of its own. */
export function makeStage(): Stage {
  const root = mkdtempSync(join(tmpdir(), 'countersign-scripts-'))
  const bin = join(root, 'bin')
  mkdirSync(bin)
  const command = (name: string, words: readonly string[]): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`, { mode: 0o755 })
  // The cache keeps compiled code between the many runs; the built command does the same for itself.
  const cached = ['env', `NODE_COMPILE_CACHE=${process.env['NODE_COMPILE_CACHE'] ?? join(root, 'cache')}`]
  command('countersign', [...cached, ...commandUnderTest()])
  symlinkSync('countersign', join(bin, 'cosign'))
  // `npx countersign` as in a checkout; the real one would ask a package registry for what it does not find.
  writeFileSync(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
  for (const tool of tools) command(tool, [...cached, process.execPath, '--conditions=source', resolve(import.meta.dirname, `${tool}.ts`)])
  return {
    root,
    link: (name, target) => {
      rmSync(join(bin, name), { force: true })
      symlinkSync(target, join(bin, name))
    },
    play: (place, text, env = {}) => play(place, text, { PATH: `${bin}:/usr/bin:/bin`, ...env }),
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** The environment is empty but for what the script says: nothing of this machine plays a part. */
function play(place: string, text: string, env: Readonly<Record<string, string>>): Promise<Played> {
  const whole = { HOME: join(place, 'home'), COUNTERSIGN_PASSWORD: 'pw', LC_ALL: 'C.UTF-8', ...env }
  return new Promise((done, fail) => {
    const child = spawn('/bin/sh', ['-c', text], { cwd: place, env: whole, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => (stdout += part))
    child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part))
    child.on('error', fail)
    child.on('close', (code) => done({ stdout, stderr, exit: code ?? 128 }))
  })
}
