/** URLs in messages: who is asked for what, without what only the two sides should know. */

/** Query parameters of the registry protocol that carry no secret. All others lose their value: pre-signed URLs are credentials. */
const shown: ReadonlySet<string> = new Set(['n', 'last', 'artifactType', 'digest', 'mount', 'from', 'service', 'scope'])

/** A URL for a message: no user information, no fragment, unknown query values replaced by `…`; at most 500 characters. */
export function redactUrl(url: URL): string {
  const query = [...url.searchParams].map(([name, value]) => `${name}=${shown.has(name) ? value : '…'}`).join('&')
  const text = `${url.protocol}//${url.host}${url.pathname}${query === '' ? '' : `?${query}`}`
  return text.length > 500 ? `${text.slice(0, 500)}…` : text
}

/** Text from a server for a message: one line of printable ASCII, at most 200 characters, so that it cannot drive a terminal. */
export function printable(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}
