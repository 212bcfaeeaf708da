import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const main = resolve(import.meta.dirname, '../../src/main.ts')
const node = ['--conditions=source', main]
let folder = ''
let silent: Server

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-interruption-'))
  // Takes every connection and never answers.
  silent = createServer(() => undefined)
  await new Promise<void>((done) => {
    silent.listen(0, '127.0.0.1', done)
  })
  const env = { ...process.env, COUNTERSIGN_PASSWORD: 'x' }
  const play = (...args: readonly string[]): Buffer =>
    execFileSync(process.execPath, [...node, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] })
  play('generate-key-pair')
  writeFileSync(join(folder, 'a'), 'a')
  play('sign-blob', '--key', 'cosign.key', '--bundle', 'a.sigstore.json', 'a')
  const { port } = silent.address() as AddressInfo
  const images = [1, 2, 3].map((at) => `  - { image: '127.0.0.1:${port}/team/app:${at}' }`)
  writeFileSync(join(folder, 'batch.yaml'), ['artifacts:', '  - { path: a }', ...images].join('\n'))
})

afterAll(() => {
  silent.close()
  rmSync(folder, { recursive: true, force: true })
})

function begin(report: string, ...more: readonly string[]): ChildProcess {
  const args = ['verify', '--key', 'cosign.pub', '--max-workers', '2', '-f', 'batch.yaml', '--report', `json=${report}`, ...more]
  return spawn(process.execPath, [...node, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
}

async function ended(
  child: ChildProcess,
  onOutput: () => void = () => undefined,
): Promise<{ readonly stdout: string; readonly code: number | null }> {
  let stdout = ''
  let told = false
  child.stdout?.on('data', (text: Buffer) => {
    stdout += text.toString('utf8')
    if (told) return
    told = true
    onOutput()
  })
  const code = await new Promise<number | null>((done) => {
    child.on('close', done)
  })
  return { stdout, code }
}

type Lists = { readonly [list in 'verified' | 'skipped']: readonly { readonly subject: string; readonly code?: string }[] } & {
  readonly outcome: string
}

function lists(report: string): Lists {
  return JSON.parse(readFileSync(join(folder, report), 'utf8')) as Lists
}

describe('a run that does not come to its end', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s tells what it knows, and of the rest that it could not tell',
    { timeout: 60_000 },
    async (signal) => {
      const child = begin(`${signal}.json`)
      const { stdout, code } = await ended(child, () => child.kill(signal))
      expect(code).toBe(14)
      expect(
        stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.slice(0, 8)),
      ).toEqual(['verified', 'skipped ', 'skipped ', 'skipped '])
      const { verified, skipped, outcome } = lists(`${signal}.json`)
      expect(outcome).toBe('unknown')
      expect(verified).toMatchObject([{ subject: 'a' }])
      expect(skipped.map((item) => item.code)).toEqual(['interrupted', 'interrupted', 'interrupted'])
    },
  )

  it('by its deadline does the same', { timeout: 60_000 }, async () => {
    const { code } = await ended(begin('deadline.json', '--timeout', '8s'))
    expect(code).toBe(14)
    const { verified, skipped } = lists('deadline.json')
    expect(verified).toMatchObject([{ subject: 'a' }])
    expect(skipped.map((item) => item.code)).toEqual(['deadline_exceeded', 'deadline_exceeded', 'deadline_exceeded'])
  })
})

describe('a run over one image', () => {
  it.each([
    ['verify', 'cosign.pub', 'nothing was verified but what is reported'],
    ['sign', 'cosign.key', 'nothing was signed but what is reported, or was on its way; run again'],
  ])('that is interrupted in %s says so in one line', { timeout: 60_000 }, async (verb, key, left) => {
    const { port } = silent.address() as AddressInfo
    const args = [verb, '--key', key, `127.0.0.1:${port}/team/app:1`]
    const env = { ...process.env, COUNTERSIGN_PASSWORD: 'x' }
    const child = spawn(process.execPath, [...node, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    silent.once('connection', () => child.kill('SIGINT'))
    let stderr = ''
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString('utf8')))
    const { stdout, code } = await ended(child)
    expect({ stdout, stderr, code }).toEqual({ stdout: '', stderr: `countersign: interrupted; ${left}\n`, code: 130 })
  })
})
