/** `SHA256SUMS`: one digest and one file name a line, as coreutils and BSD write them. */
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { maxBatchItems } from './model.ts'

/** One line. `escapes` when the name leads out of the folder of the list, or could. */
export type ChecksumLine = { readonly name: string; readonly digest: Digest; readonly line: number; readonly escapes: boolean }

const algorithms: Readonly<Record<number, string>> = { 64: 'sha256', 96: 'sha384', 128: 'sha512' }
const gnuLine = /^(\\?)([0-9a-fA-F]{64}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128}) [ *](.{1,4096})$/
const bsdLine = /^(\\?)(SHA(?:256|384|512)) \((.{1,4096})\) = ([0-9a-fA-F]{64,128})$/

/** Whether a text is such a list: its first line of content is one of its lines. */
export function looksLikeChecksums(text: string): boolean {
  const first = /^(?:[ \t]*(?:#[^\n]*)?\r?\n)*([^\n]{0,4400})/.exec(text.slice(0, 65_536))?.[1] ?? ''
  return readLine(first.replace(/\r$/, '')) !== undefined
}

/**
 * Reads a list; a line that is none of it is refused, never skipped, since it may hide a file. Throws `batch_malformed` as `NAME:LINE: what`,
 * `limit_exceeded` beyond 100,000 lines.
 */
export function readChecksums(text: string, name: string): readonly ChecksumLine[] {
  const lines: ChecksumLine[] = []
  let number = 0
  for (let start = 0; start < text.length;) {
    const end = text.indexOf('\n', start)
    const line = text.slice(start, end < 0 ? text.length : end).replace(/\r$/, '')
    start = end < 0 ? text.length : end + 1
    number++
    if (line.trim() === '' || line.startsWith('#')) continue
    const read = readLine(line)
    if (read === undefined) {
      throw new CountersignError('batch_malformed', `${name}:${number}: neither a digest with a file name nor a comment`, {
        found: JSON.stringify(line.slice(0, 80)),
      })
    }
    if (lines.length >= maxBatchItems) throw new CountersignError('limit_exceeded', `${name} lists more than ${maxBatchItems} files`)
    lines.push({ ...read, line: number, escapes: leadsOut(read.name) })
  }
  return lines
}

function readLine(line: string): { readonly name: string; readonly digest: Digest } | undefined {
  const gnu = gnuLine.exec(line)
  const bsd = gnu === null ? bsdLine.exec(line) : null
  const [escaped, hex, written] = gnu === null ? [bsd?.[1], bsd?.[4], bsd?.[3]] : [gnu[1], gnu[2], gnu[3]]
  if (hex === undefined || written === undefined) return undefined
  const algorithm = bsd === null ? algorithms[hex.length] : bsd[2]?.toLowerCase()
  const digest = parseDigest(`${algorithm ?? ''}:${hex.toLowerCase()}`)
  if (digest === undefined) return undefined
  // coreutils: a leading backslash says that line breaks and backslashes of the name are written as \n, \r and \\.
  const name =
    escaped === '\\' ? written.replaceAll(/\\(n|r|\\)/g, (_all, letter: string) => ({ n: '\n', r: '\r' })[letter] ?? '\\') : written
  return { digest, name: name.replace(/^(?:\.\/)+/, '') }
}

/** Hostile: whoever wrote the list chose the name. Only what is below the folder of the list on every system is read. */
function leadsOut(name: string): boolean {
  if (name === '' || /^(?:[/\\]|[A-Za-z]:)/.test(name) || /\p{Cc}/u.test(name)) return true
  return name.split(/[/\\]/).includes('..')
}
