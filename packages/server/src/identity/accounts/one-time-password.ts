/** Time-based one-time passwords (RFC 6238 over RFC 4226): SHA-1, six digits, thirty seconds, as every authenticator has them. */
import { createHmac, randomBytes } from 'node:crypto'
import { equalSecrets } from '../../base/crypto/primitives.ts'

const stepMs = 30_000
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A new seed, 20 bytes. */
export function newSeed(): Uint8Array {
  return new Uint8Array(randomBytes(20))
}

/** What an authenticator reads (otpauth URI), with the seed in base32 (RFC 4648 §6). */
export function authenticatorUri(issuer: string, name: string, seed: Uint8Array): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(name)}`
  return `otpauth://totp/${label}?secret=${base32(seed)}&issuer=${encodeURIComponent(issuer)}`
}

/**
 * The step whose code this is: the current one, or one next to it, because clocks differ; `undefined` for a wrong code. The caller takes a step
 * once only: a code that was seen over somebody's shoulder is worth nothing (RFC 6238 §5.2).
 */
export function stepOfCode(seed: Uint8Array, code: string, nowMs: number): number | undefined {
  if (!/^[0-9]{6}$/.test(code)) return undefined
  const now = Math.floor(nowMs / stepMs)
  return [now, now - 1, now + 1].find((step) => equalSecrets(Buffer.from(codeOfStep(seed, step)), Buffer.from(code)))
}

/** The six digits of a step. */
export function codeOfStep(seed: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const hash = createHmac('sha1', seed).update(counter).digest()
  const offset = (hash[19] ?? 0) & 15
  return String((hash.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

function base32(bytes: Uint8Array): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('')
}
