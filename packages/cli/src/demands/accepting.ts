/** Nobody is named who may have signed: how to name who did, in flags and in a policy, safe to paste and to show. */
import type { Evidence } from '@countersign/core/verify/evidence'
import type { FlagValues } from '../command/flag-values.ts'

/** True without key, policy and a whole identity. */
export function namesNobody(flags: FlagValues): boolean {
  const any = (...names: readonly string[]): boolean => names.some((name) => flags.list(name).length > 0)
  if (any('key', 'policy')) return false
  return !any('certificate-identity', 'certificate-identity-regexp') || !any('certificate-oidc-issuer', 'certificate-oidc-issuer-regexp')
}

/** Lines that say who a proven signer is, and what would accept exactly this one. Hostile: whoever was certified chose the name. */
export function acceptingLines({ signer }: Pick<Evidence, 'signer'>): readonly string[] {
  if (signer.kind !== 'certificate') return []
  const { subject, issuer } = signer
  const who = `${visible(subject)}, vouched for by ${visible(issuer)}`
  if (signer.own !== undefined || subject === '' || issuer === '') return [who, '  a policy can name it: identities with x509']
  const yaml = `{ certificate: { issuer: ${escaped(issuer)}, subject: ${escaped(subject)} } }`
  const flags = [
    ['certificate-identity', subject],
    ['certificate-oidc-issuer', issuer],
  ] as const
  // What a terminal would not show as it is, nobody should paste.
  if (!isPlain(subject) || !isPlain(issuer)) return [who, '  its name holds characters that are not safe to show', `  in a policy: ${yaml}`]
  return [who, `  flags: ${flags.map(([name, value]) => `--${name}=${shellQuoted(value)}`).join(' ')}`, `  in a policy: ${yaml}`]
}

/** One word of a POSIX shell, whatever is in it. */
export function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** What is not plain as a replacement character: nobody takes the rest for the whole name. */
function visible(text: string): string {
  return text.replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]+/gu, '\u{fffd}')
}

/** Letters, marks, digits, punctuation, symbols and blanks of any script, and nothing invisible. */
function isPlain(text: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(text)
}

/** JSON, which YAML reads too, with everything spelled out that is not plain. */
function escaped(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) =>
    [...Array(character.length).keys()].map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )
}
