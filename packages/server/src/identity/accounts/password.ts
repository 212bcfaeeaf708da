/** Passwords, kept as Argon2id (RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes). */
import { argon2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { CountersignError } from '@countersign/core/failure'
import { equalSecrets } from '../../base/crypto/primitives.ts'

const cost = { memory: 65_536, passes: 3, parallelism: 4 }
const [leastCharacters, mostBytes] = [12, 1024]
const derive = promisify(argon2)

/** The bytes of a text that can be a password. Throws `account_malformed` for one that is too short or too long. */
export function demandPassword(password: string): Uint8Array {
  const bytes = Buffer.from(password.normalize('NFKC'))
  if (password.length >= leastCharacters && bytes.length <= mostBytes) return bytes
  const bounds = `at least ${leastCharacters} characters, and at most ${mostBytes} bytes`
  throw new CountersignError('account_malformed', `the password must have ${bounds}`)
}

/** A text that holds salt, cost and hash of a password. Throws `account_malformed` for one that is too short or too long. */
export async function hashPassword(password: string): Promise<string> {
  const bytes = demandPassword(password)
  const salt = randomBytes(16)
  const { memory, passes, parallelism } = cost
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${b64(salt)}$${b64(await run(bytes, salt, cost))}`
}

/**
 * Whether it is this password. Without a stored one the same work is done for nothing: how long the answer takes must not tell which accounts
 * exist.
 */
export async function isPassword(stored: string | undefined, password: string): Promise<boolean> {
  const bytes = Buffer.from(password.normalize('NFKC')).subarray(0, mostBytes)
  const match = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(stored ?? '')
  if (match === null) {
    await run(bytes, randomBytes(16), cost)
    return false
  }
  const [memory, passes, parallelism] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const hash = await run(bytes, Buffer.from(match[4] ?? '', 'base64'), { memory, passes, parallelism })
  return equalSecrets(hash, Buffer.from(match[5] ?? '', 'base64'))
}

async function run(message: Uint8Array, nonce: Uint8Array, { memory, passes, parallelism }: typeof cost): Promise<Uint8Array> {
  return derive('argon2id', { message, nonce, memory, passes, parallelism, tagLength: 32 })
}

function b64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
