/**
 * Devices on which an account has logged in before, known by a cookie that we sealed. It lets nobody in: its guesses are counted apart, so that nobody
 * elsewhere can make them wait.
 */
import { createHash, randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { Database } from '../../base/database/database.ts'
import type { SecretBox } from '../../base/keys/role-key.ts'

/** What knowing devices needs. */
export type DevicePorts = { readonly database: Database; readonly secrets: SecretBox; readonly clock: Clock }

/** Cookies of a request, by name. */
export type DeviceCookies = ReadonlyMap<string, string>

const begin = 'countersign_device_'
const lifeMs = 180 * 24 * 3600_000
const [idLength, timeLength, markLength] = [16, 8, 16] as const

/** The cookies of a request by which devices are known. Hostile: a header of any content. */
export function deviceCookies(header: string | undefined): DeviceCookies {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim().split('=', 2))
  return new Map(pairs.flatMap(([name = '', value = '']) => (name.startsWith(begin) ? [[name, value] as const] : [])))
}

/** The device from which the owner of a name has logged in since its password was set; `undefined` for any other. */
export async function knownDevice(ports: DevicePorts, name: string, cookies: DeviceCookies): Promise<string | undefined> {
  if (cookies.size === 0) return undefined
  const [row] = await ports.database.raw.query('select id, password from identity_accounts where name = ?', [name])
  if (typeof row?.['password'] !== 'string') return undefined
  const id = String(row['id'])
  const sealed = Buffer.from(cookies.get(cookieName(id)) ?? '', 'base64url')
  const opened = opens(ports.secrets, id, new Uint8Array(sealed))
  if (opened?.length !== idLength + timeLength + markLength) return undefined
  const age = ports.clock() - Number(opened.readBigUInt64BE(idLength))
  // Hostile: somebody who knew the password once, and kept a thousand cookies of that time.
  const isOfPassword = markOf(row['password']).equals(opened.subarray(idLength + timeLength))
  return isOfPassword && age < lifeMs ? `${id} ${opened.toString('hex', 0, idLength)}` : undefined
}

/** The header `Set-Cookie` for a device on which the account has just logged in, or set its password. */
export async function rememberDevice(
  { database, secrets, clock }: DevicePorts,
  accountId: string,
  { path, secure }: { readonly path: string; readonly secure: boolean },
): Promise<string> {
  const [row] = await database.raw.query('select password from identity_accounts where id = ?', [accountId])
  const time = Buffer.alloc(timeLength)
  time.writeBigUInt64BE(BigInt(clock()))
  const content = Buffer.concat([randomBytes(idLength), time, markOf(String(row?.['password'] ?? ''))])
  const value = Buffer.from(secrets.seal(contextOf(accountId), new Uint8Array(content))).toString('base64url')
  return `${cookieName(accountId)}=${value}; Path=${path}; Max-Age=${lifeMs / 1000}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
}

function opens(secrets: SecretBox, id: string, sealed: Uint8Array): Buffer | undefined {
  try {
    return Buffer.from(secrets.open(contextOf(id), sealed))
  } catch (failure) {
    if (failure instanceof CountersignError && failure.code === 'secret_damaged') return undefined
    throw failure
  }
}

/** One for each account: people have several. */
function cookieName(accountId: string): string {
  return `${begin}${hash(accountId).toString('hex', 0, 6)}`
}

function contextOf(accountId: string): string {
  return `identity known device ${accountId}`
}

function markOf(storedPassword: string): Buffer {
  return hash(storedPassword).subarray(0, markLength)
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
