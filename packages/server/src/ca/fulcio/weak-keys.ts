/** Public keys that parse and are still not to be certified: their private halves can be computed, or anybody's signature holds under them. */
import { bytesToHex } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { rsaNumbers, type PublicKey } from '@countersign/core/keys/public-key'
import { publicKeyObject } from '../../base/crypto/primitives.ts'

/** Throws `key_weak`, or `key_malformed` for a point that is not on its curve. */
export function demandStrongKey(key: PublicKey): void {
  const problem = key.type === 'rsa' ? rsaProblem(key) : key.type === 'ed25519' ? edwardsProblem(key) : undefined
  if (problem !== undefined) throw new CountersignError('key_weak', `the public key cannot be certified: ${problem}`)
  if (publicKeyObject(key) === undefined) throw new CountersignError('key_malformed', 'the public key is not a point of its curve')
}

const sizes: ReadonlySet<number> = new Set([2048, 3072, 4096])

function rsaProblem(key: PublicKey): string | undefined {
  if (!sizes.has(key.bits ?? 0)) return `an RSA key has 2048, 3072 or 4096 bits, this one has ${key.bits ?? 0}`
  const { modulus, exponent } = rsaNumbers(key)
  if (bytesToHex(exponent) !== '010001') return 'the exponent of an RSA key is 65537'
  const n = BigInt(`0x${bytesToHex(modulus)}`)
  const rest = smallRemainders(n)
  if (rest.some(({ remainder }) => remainder === 0)) return 'its modulus has a small factor'
  if (rest.filter(({ prime }) => prime <= 167).every(({ prime, remainder }) => isPowerOf65537(prime, remainder))) {
    return 'it was made by a library whose keys can be factored (CVE-2017-15361)'
  }
  return hasCloseFactors(n) ? 'its two factors are too close to each other' : undefined
}

type Remainder = { readonly prime: number; readonly remainder: number }

let oddPrimes: readonly number[] | undefined

/** Odd primes below 752, as the reference's check divides by them. */
function smallPrimes(): readonly number[] {
  oddPrimes ??= Array.from({ length: 375 }, (_, i) => 2 * i + 3).filter((n) => {
    for (let d = 3; d * d <= n; d += 2) if (n % d === 0) return false
    return true
  })
  return oddPrimes
}

function smallRemainders(n: bigint): readonly Remainder[] {
  return smallPrimes().map((prime) => ({ prime, remainder: Number(n % BigInt(prime)) }))
}

/** Keys of that library are powers of 65537 modulo every one of the first primes (Nemec et al., CCS 2017); others are by chance once in 10^8. */
function isPowerOf65537(prime: number, remainder: number): boolean {
  const step = 65_537 % prime
  let power = 1
  for (let i = 0; i < prime; i++) {
    if (power === remainder) return true
    power = (power * step) % prime
  }
  return false
}

const fermatRounds = 100

/** Fermat's method finds factors that share their upper half (CVE-2022-26320) in a few rounds. */
function hasCloseFactors(n: bigint): boolean {
  let a = squareRoot(n) + 1n
  for (let i = 0; i < fermatRounds; i++, a++) {
    const square = a * a - n
    if (mayBeSquare(square) && squareRoot(square) ** 2n === square) return true
  }
  return false
}

/** Squares are 0, 1, 4 or 9 modulo 16, and 0, 1, 4 or 7 modulo 9: most others cost nothing more. */
function mayBeSquare(n: bigint): boolean {
  return [0, 1, 4, 9].includes(Number(n & 15n)) && [0, 1, 4, 7].includes(Number(n % 9n))
}

/** Newton's method, rounded down. */
function squareRoot(n: bigint): bigint {
  if (n < 2n) return n
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1)
  for (;;) {
    const next = (x + n / x) >> 1n
    if (next >= x) return x
    x = next
  }
}

/** y-coordinates of the points of small order and their second spellings, little-endian without the sign bit (RFC 7748 §6.1, libsodium's list). */
const smallOrder: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

function edwardsProblem({ raw }: PublicKey): string | undefined {
  const y = new Uint8Array(raw)
  y[31] = (y[31] as number) & 0x7f
  return smallOrder.has(bytesToHex(y)) ? 'the point of an Ed25519 key has a small order' : undefined
}
