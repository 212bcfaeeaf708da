import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { matches, parseTranscript, type Step } from './transcript.ts'

/** `npm test -- -u` and the like are not for transcripts: what comes back is read before it is believed. */
const folder = import.meta.dirname
const scripts = readdirSync(folder).filter((name) => name.endsWith('.txt'))
let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'countersign-scripts-'))
  const bin = join(root, 'bin')
  mkdirSync(bin)
  const main = resolve(folder, '../../packages/cli/src/main.ts')
  // The cache keeps compiled code between the many runs; the built command does the same for itself.
  const node = `NODE_COMPILE_CACHE='${join(root, 'cache')}' exec '${process.execPath}' --conditions=source`
  writeFileSync(join(bin, 'countersign'), `#!/bin/sh\n${node} '${main}' "$@"\n`, { mode: 0o755 })
  symlinkSync('countersign', join(bin, 'cosign'))
  writeFileSync(
    join(bin, 'make-image'),
    `#!/bin/sh\nexec '${process.execPath}' '${fileURLToPath(import.meta.resolve('./make-image.ts'))}' "$@"\n`,
    { mode: 0o755 },
  )
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

describe.concurrent('the command line, as typed', () => {
  it.for(scripts)('%s', { timeout: 120_000 }, async (name) => {
    const place = join(root, name.replace(/\.txt$/, ''))
    mkdirSync(join(place, 'home'), { recursive: true })
    for (const step of parseTranscript(readFileSync(join(folder, name), 'utf8'))) {
      const { shown, wanted } = await compare(place, step)
      expect(shown, `${name}:${step.line}`).toBe(wanted)
    }
  })
})

/** Both sides as a transcript would write them; the same when the output is as expected, wildcards included. */
async function compare(place: string, step: Step): Promise<{ readonly shown: string; readonly wanted: string }> {
  const { stdout, stderr, exit } = await run(place, step.command)
  const wanted = [`$ ${step.command}`, ...step.stdout, ...step.stderr.map((line) => `| ${line}`), `? ${step.exit}`].join('\n')
  if (exit === step.exit && matches(step.stdout, stdout) && matches(step.stderr, stderr)) return { shown: wanted, wanted }
  const errors = stderr.split('\n').map((line) => `| ${line}`)
  return { shown: [`$ ${step.command}`, ...stdout.split('\n'), ...errors, `? ${exit}`].join('\n'), wanted }
}

/** The environment is empty but for what the script says: nothing of this machine plays a part. */
function run(place: string, command: string): Promise<{ readonly stdout: string; readonly stderr: string; readonly exit: number }> {
  const env = { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, HOME: join(place, 'home'), COUNTERSIGN_PASSWORD: 'pw', LC_ALL: 'C.UTF-8' }
  return new Promise((done, fail) => {
    const child = spawn('/bin/sh', ['-c', command], { cwd: place, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', fail)
    child.on('close', (code) => done({ stdout, stderr, exit: code ?? 128 }))
  })
}
