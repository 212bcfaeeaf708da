/** The flags that together say who may have signed: they are taken all from one place or not at all. */

/** Whether a flag is one of them. */
export function namesSigner(flag: string): boolean {
  return flag === 'key' || flag.startsWith('certificate-')
}

/** What decides whether a certificate holds, when something was signed, and which revocations were seen before. */
export const trustFlags: readonly string[] = [
  'trusted-root',
  'ca-roots',
  'ca-intermediates',
  'timestamp-certificate-chain',
  'revocation-state',
]
