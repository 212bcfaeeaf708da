/** The protocol of Docker's credential helpers: `docker-credential-NAME get|store|erase`, request on stdin, answer on stdout. */
import { CountersignError } from '@countersign/core/failure'
import { parseJson } from '@countersign/core/json/parse'
import type { Secret } from './credential.ts'

type Environment = Readonly<Record<string, string | undefined>>

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/
const maxOutput = 64 * 1024
/** The user name by which a helper says that its secret is an identity token (docker/cli). */
const identityUser = '<token>'

/** What runs a helper: its name, the environment to find it in, and how long it may take in milliseconds. */
export type HelperCall = { readonly name: string; readonly environment: Environment; readonly timeoutMs: number }

/** Asks a helper for the secret of a key; `undefined` when it knows none. Throws `credential_helper_failed`. */
export async function getFromHelper(call: HelperCall, key: string): Promise<Secret | undefined> {
  const { status, stdout } = await runHelper(call, 'get', key)
  const said = stdout.trim().toLowerCase()
  if (status !== 0) {
    // The protocol has no code for it: helpers say it in words (docker-credential-helpers, credentials.errCredentialsNotFound).
    if (said.includes('credentials not found') || said.includes('no credentials')) return undefined
    throw failed(call.name, `exited with ${status}`)
  }
  return readAnswer(call.name, stdout)
}

/** Gives a helper a user name and a secret to keep. Throws `credential_helper_failed`. */
export async function storeInHelper(call: HelperCall, key: string, username: string, secret: string): Promise<void> {
  const { status } = await runHelper(call, 'store', JSON.stringify({ ServerURL: key, Username: username, Secret: secret }))
  if (status !== 0) throw failed(call.name, `could not store the credentials (exit ${status})`)
}

/** Makes a helper forget a key; false when it knew none. Throws `credential_helper_failed`. */
export async function eraseFromHelper(call: HelperCall, key: string): Promise<boolean> {
  if ((await getFromHelper(call, key)) === undefined) return false
  const { status } = await runHelper(call, 'erase', key)
  if (status !== 0) throw failed(call.name, `could not erase the credentials (exit ${status})`)
  return true
}

function readAnswer(name: string, stdout: string): Secret | undefined {
  let answer: unknown
  try {
    answer = parseJson(stdout)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    // Without the cause: the answer is a secret.
    throw failed(name, `did not answer with JSON (${error.code})`)
  }
  const { Username: username, Secret: secret } = (answer ?? {}) as { readonly Username?: unknown; readonly Secret?: unknown }
  if (typeof username !== 'string' || typeof secret !== 'string') throw failed(name, 'did not answer with Username and Secret')
  if (username === '' && secret === '') return undefined
  return username === identityUser ? { kind: 'identity', token: secret } : { kind: 'basic', username, password: secret }
}

async function runHelper(
  call: HelperCall,
  verb: 'get' | 'store' | 'erase',
  input: string,
): Promise<{ readonly status: number; readonly stdout: string }> {
  // Hostile: a config file that names `../x` would make us run a program of its choice.
  if (!namePattern.test(call.name)) {
    throw new CountersignError('credential_helper_failed', 'the configured credential helper has a name that is not allowed', {
      expected: 'letters, digits, dot, underscore, hyphen',
      found: call.name.slice(0, 80).replace(/[^\x20-\x7e]/g, '?'),
    })
  }
  const { spawn } = await import('node:child_process')
  return new Promise((resolve, reject) => {
    const env = Object.fromEntries(Object.entries(call.environment).filter(([, value]) => value !== undefined)) as Record<string, string>
    const child = spawn(`docker-credential-${call.name}`, [verb], { env, stdio: ['pipe', 'pipe', 'ignore'], shell: false })
    const timer = setTimeout(() => stop(`did not answer within ${call.timeoutMs} ms`), call.timeoutMs)
    let stdout = ''
    let length = 0
    const stop = (why: string): void => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(failed(call.name, why))
    }
    child.on('error', (cause) => {
      clearTimeout(timer)
      reject(failed(call.name, 'could not be started', cause))
    })
    child.stdout.on('data', (part: Buffer) => {
      length += part.length
      stdout += part.toString('latin1')
      if (length > maxOutput) stop(`answered with more than ${maxOutput} bytes`)
    })
    child.on('close', (status) => {
      clearTimeout(timer)
      resolve({ status: status ?? -1, stdout: Buffer.from(stdout, 'latin1').toString('utf8') })
    })
    // A helper may answer without reading; its exit status tells what matters.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}

function failed(name: string, detail: string, cause?: unknown): CountersignError {
  return new CountersignError('credential_helper_failed', `docker-credential-${name} ${detail}`, {
    cause,
    hint: 'Check the credential helper of the Docker configuration, or give the credentials with --registry-username and --registry-password.',
  })
}
