/** URLs of issuers and URIs in certificates. */
import { hostOf, isLoopback } from '../../base/http/address.ts'

/** An http or https URL without credentials, query and fragment, written as the URL standard writes it; http on loopback alone. */
export function parseHttpUrl(text: string): URL | undefined {
  const url = URL.parse(text)
  if (url === null || text.length > 1024 || /[\s?#\\]/.test(text)) return undefined
  if (url.username !== '' || url.password !== '' || url.hostname === '') return undefined
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(hostOf(url)))) return undefined
  // A second spelling of one URL (upper case, a default port, dot segments) would be compared as another issuer.
  return url.href === text || url.href === `${text}/` ? url : undefined
}

/** Whether two host names are the same, or agree in their last two labels, as the reference has it (fulcio, validateAllowedDomain). */
export function sameDomain(a: string, b: string): boolean {
  const [end, other] = [a, b].map((host) => host.split('.').slice(-2).join('.'))
  return end === other
}

const uriCharacter = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]$/

/**
 * Text as the URI of a certificate: absolute, with an authority. Characters that no URI has are percent-encoded as UTF-8, as the reference's URL
 * library does: branches may have them. `undefined` for what is none, for control characters, credentials, broken percent-encoding and dot
 * segments: two readers of one certificate could see two identities.
 */
export function toCertificateUri(text: string): string | undefined {
  const match = /^[a-z][a-z0-9+.-]{0,30}:\/\/([^/?#]*)([^]*)$/.exec(text)
  if (match === null || match[1] === '' || /[@\\%]/.test(match[1] as string) || /%(?![0-9A-Fa-f]{2})/.test(text)) return undefined
  if (hasControls(text) || !text.isWellFormed() || /\/\.{1,2}(?:\/|$)/.test(match[2] as string)) return undefined
  if (!/^[A-Za-z0-9\-._~:[\]]+$/.test(match[1] as string)) return undefined
  return Array.from(text, (character) => (uriCharacter.test(character) ? character : encodeURIComponent(character))).join('')
}

/** Whether a text holds a control character (C0, DEL, C1) or a line or paragraph separator. */
export function hasControls(text: string): boolean {
  return /[\p{Cc}\u2028\u2029]/u.test(text)
}
