/** Identifiers of audit records: short enough to read out, with chance enough that nobody finds others' by counting. */

// Crockford's base 32: no I, L, O, U.
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** 10 characters of time (48 bits, milliseconds) and 10 of chance (50 bits of at least 10 random bytes). */
export function auditId(at: number, random: Uint8Array): string {
  let id = ''
  for (let place = 9; place >= 0; place--) id += alphabet[Math.floor(at / 32 ** place) % 32]
  for (let place = 0; place < 10; place++) id += alphabet[(random[place] ?? 0) & 31]
  return id
}
