/**
 * PEM, the textual encoding of RFC 7468.
 *
 * Text outside the blocks is ignored (§2 permits it). Inside a block only base64 lines, blanks at the end of a line and empty lines are
 * accepted (the lax form of §3); the headers of RFC 1421 are refused, and so is base64 that is not canonical. Lines end with LF, CRLF or CR.
 */
import { base64ToBytes, bytesToBase64 } from './base64.ts'
import { CountersignError } from './failure.ts'

/** One block: the label of both boundary lines, and the bytes between them. */
export type PemBlock = { readonly label: string; readonly bytes: Uint8Array }

const maxCharacters = 16 * 1024 * 1024
const maxBlocks = 1_000
const columns = 64
// §3: labels are printable, with single spaces or hyphens between the words.
const boundary = /^-----(BEGIN|END) ([A-Z0-9]+(?:[ -][A-Z0-9]+){0,9})-----[ \t]*$/

/**
 * Every block of a text, in order; at least one. With `label`, a block that is anything else is refused.
 * Throws `pem_malformed`, also for more than 16 Mi characters or 1,000 blocks.
 */
export function decodePem(text: string, label?: string): readonly PemBlock[] {
  if (text.length > maxCharacters) throw malformed(`${text.length} characters`, `at most ${maxCharacters}`)
  const blocks: PemBlock[] = []
  let open: { label: string; lines: string[] } | undefined
  for (const line of text.split(text.includes('\r') ? /\r\n|\n|\r/ : '\n')) {
    const found = line.startsWith('-----') ? readBoundary(line) : undefined
    if (found === undefined) {
      open?.lines.push(line)
    } else if (open === undefined && found.begin) {
      open = { label: found.label, lines: [] }
    } else if (open !== undefined && !found.begin && found.label === open.label) {
      blocks.push({ label: open.label, bytes: decodeBody(open.lines) })
      open = undefined
      if (blocks.length > maxBlocks) throw malformed('too many blocks', `at most ${maxBlocks}`)
    } else {
      throw malformed(`the line "-----${found.begin ? 'BEGIN' : 'END'} ${found.label}-----" is out of place`)
    }
  }
  if (open !== undefined) throw malformed(`the block "${open.label}" does not end`)
  if (blocks.length === 0) throw malformed('no PEM block', label === undefined ? 'at least one' : `a block "${label}"`)
  const stranger = label === undefined ? undefined : blocks.find((block) => block.label !== label)
  if (stranger !== undefined) throw malformed(`a block "${stranger.label}"`, `only blocks "${label}"`)
  return blocks
}

/** One block in the strict form of §3: lines of 64 characters that end with LF. */
export function encodePem(label: string, bytes: Uint8Array): string {
  if (!boundary.test(`-----BEGIN ${label}-----`)) throw malformed(`the label ${JSON.stringify(label)}`)
  const encoded = bytesToBase64(bytes)
  let body = ''
  for (let i = 0; i < encoded.length; i += columns) body += `${encoded.slice(i, i + columns)}\n`
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`
}

function readBoundary(line: string): { begin: boolean; label: string } {
  const match = line.length > 200 ? null : boundary.exec(line)
  if (match === null) throw malformed(`a line that begins with dashes is no boundary: ${JSON.stringify(line.slice(0, 40))}`)
  return { begin: match[1] === 'BEGIN', label: match[2] as string }
}

function decodeBody(lines: readonly string[]): Uint8Array {
  const encoded = lines.map((line) => line.trimEnd()).join('')
  if (encoded === '') throw malformed('an empty block')
  try {
    return base64ToBytes(encoded)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    // The text itself stays out of the message: it may be a private key.
    throw new CountersignError('pem_malformed', 'the body of a PEM block is not canonical base64', { cause })
  }
}

function malformed(found: string, expected?: string): CountersignError {
  const parts = expected === undefined ? { found } : { found, expected }
  return new CountersignError('pem_malformed', `not well-formed PEM: ${found}`, parts)
}
