/** Serial numbers of certificates (RFC 5280 §4.1.2.2) and of timestamps: positive, at most 20 octets, of one length. */

/** Octets of a serial number. */
export const serialBytes = 20

/**
 * A serial number from 20 random bytes, as the content of an INTEGER: the first bit is zero, so that it is positive, the second one, so that all
 * have one length. The other 158 are as random as what came in; the CA/Browser Forum asks for 64.
 */
export function serialNumber(random: Uint8Array): Uint8Array {
  const serial = new Uint8Array(random.subarray(0, serialBytes))
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  return serial
}
