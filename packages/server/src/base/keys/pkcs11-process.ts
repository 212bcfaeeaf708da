/** Keeps the signer process: starts it, asks it, and starts another when it died. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { SignerAnswer, SignerRequest } from './pkcs11-message.ts'

/** Which token, and how it is opened. */
export type TokenOptions = {
  /** Path of the module. */
  readonly module: string
  /** Label of the token. */
  readonly token: string
  readonly pin: () => Promise<string>
  /** Signatures at a time; default 4. */
  readonly sessions?: number
  /** Told when the process died. */
  readonly failed?: (failure: unknown) => void
}

type Asked = SignerRequest extends infer R ? (R extends unknown ? Omit<R, 'id'> : never) : never

/** The process. */
export type SignerProcess = {
  /** Rejects with `signer_unavailable` when the token cannot be reached, `key_password_wrong`, `key_missing`, `key_exists`. */
  readonly ask: (request: Asked) => Promise<SignerAnswer>
  /** Its identifier while it runs. */
  readonly pid: () => number | undefined
  readonly close: () => Promise<void>
}

const answerMs = 15_000
const restartMs = 500

type Running = { readonly child: ChildProcess; readonly waiting: Map<number, (answer: SignerAnswer | undefined) => void> }

/** Starts the process with the first question. A wrong PIN is not tried again: tokens lock themselves. */
export function signerProcess(options: TokenOptions): SignerProcess {
  let running: Promise<Running> | undefined
  let current: ChildProcess | undefined
  let stopped = false
  let number = 0
  let refused: CountersignError | undefined
  let notBefore = 0
  const send = ({ child, waiting }: Running, request: Asked): Promise<SignerAnswer> =>
    new Promise((resolve, reject) => {
      const id = ++number
      const timer = setTimeout(() => child.kill('SIGKILL'), answerMs)
      waiting.set(id, (answer) => {
        clearTimeout(timer)
        waiting.delete(id)
        if (waiting.size === 0) child.channel?.unref()
        if (answer === undefined) reject(unavailable('the signer process ended'))
        else resolve(answer)
      })
      // Keeps the server alive while somebody waits, and no longer.
      child.channel?.ref()
      child.send({ ...request, id }, (error) => {
        if (error !== null) waiting.get(id)?.(undefined)
      })
    })
  const start = async (): Promise<Running> => {
    if (refused !== undefined) throw refused
    await sleep(Math.max(0, notBefore - performance.now()))
    const own: Running = { child: spawn(), waiting: new Map() }
    const { child, waiting } = own
    current = child
    child.unref()
    child.on('message', (answer: SignerAnswer) => waiting.get(answer.id)?.(answer))
    child.once('exit', (code, signal) => {
      for (const settle of waiting.values()) settle(undefined)
      if (current === child) {
        current = undefined
        running = undefined
        notBefore = performance.now() + restartMs
      }
      if (!stopped) options.failed?.(unavailable(`the signer process ended (${signal ?? code})`))
    })
    const { module, token, sessions = 4 } = options
    const opened = await send(own, { kind: 'open', module, token, pin: await options.pin(), sessions })
    if (opened.kind === 'done') return own
    child.kill('SIGKILL')
    const failure = failureOf(opened)
    if (failure.code === 'key_password_wrong') refused = failure
    throw failure
  }
  return {
    pid: () => current?.pid,
    ask: async (request) => {
      if (stopped) throw unavailable('the server stops')
      const starting = (running ??= start())
      starting.catch(() => {
        if (running === starting) running = undefined
      })
      const answer = await send(await starting, request)
      if (answer.kind === 'failed') throw failureOf(answer)
      return answer
    },
    close: async () => {
      stopped = true
      const child = current
      if (child === undefined) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.ref()
      child.disconnect()
      await ended
    },
  }
}

function spawn(): ChildProcess {
  const isSource = import.meta.url.endsWith('.ts')
  const program = fileURLToPath(new URL(`./pkcs11-program.${isSource ? 'ts' : 'js'}`, import.meta.url))
  // Of the environment only what modules are configured by; nothing that this process has as a secret.
  const env = Object.fromEntries(
    ['PATH', 'HOME', 'SOFTHSM2_CONF', 'LD_LIBRARY_PATH'].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    ),
  )
  return fork(program, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env, execArgv: [] })
}

function failureOf(answer: SignerAnswer): CountersignError {
  if (answer.kind !== 'failed') return new CountersignError('internal', 'an answer of another kind')
  switch (answer.reason) {
    case 'pin':
      return new CountersignError('key_password_wrong', `the token refuses the PIN: ${answer.detail}`, {
        hint: 'It is not tried again before the next start: tokens lock themselves.',
      })
    case 'missing':
      return new CountersignError('key_missing', answer.detail)
    case 'exists':
      return new CountersignError('key_exists', answer.detail)
    case 'other':
      return unavailable(answer.detail)
    default:
      return unreachable(answer.reason)
  }
}

function unavailable(detail: string): CountersignError {
  return new CountersignError('signer_unavailable', `the token cannot be reached: ${detail}`, {
    hint: 'See whether it is there, and its module.',
  })
}
