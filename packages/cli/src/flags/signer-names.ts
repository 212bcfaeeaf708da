/** The flags that together say who may have signed: they are taken all from one place or not at all. */

/** Whether a flag is one of them. */
export function namesSigner(flag: string): boolean {
  return flag === 'key' || flag.startsWith('certificate-')
}
