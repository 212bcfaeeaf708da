/** PEM, the text form of keys and certificates (RFC 7468). */
import { base64ToBytes, bytesToBase64 } from './base64.ts'
import { CountersignError } from './failure.ts'

/** One encapsulated block: what its label says, and its bytes. */
export type PemBlock = { readonly label: string; readonly bytes: Uint8Array }

/** What a reader accepts at most. */
export type PemLimits = {
  /** Characters of the whole text. */
  readonly maxCharacters: number
  readonly maxBlocks: number
}

const defaultLimits: PemLimits = { maxCharacters: 1024 * 1024, maxBlocks: 64 }
const boundary = /^-----(BEGIN|END) ([A-Z0-9](?:[A-Z0-9 #./]{0,62}[A-Z0-9])?)-----$/

/**
 * Reads all blocks of a text, in order; text outside blocks is explanatory and skipped (RFC 7468 §5.2), so the result may be empty.
 *
 * Strict inside: canonical base64, the END of the same label, no headers (RFC 1421), which only legacy encryption used.
 * Throws `pem_malformed`, also when the text is longer or has more blocks than the limits.
 */
export function parsePem(text: string, limits: PemLimits = defaultLimits): readonly PemBlock[] {
  if (text.length > limits.maxCharacters) throw malformed(`${text.length} characters are more than ${limits.maxCharacters}`)
  const blocks: PemBlock[] = []
  let label: string | undefined
  let body: string[] = []
  for (const rawLine of text.split('\n')) {
    const line = rawLine.trim()
    const [, edge, name] = line.startsWith('-----') ? (boundary.exec(line) ?? []) : []
    if (edge === 'BEGIN') {
      if (label !== undefined) throw malformed(`a block begins inside ${label}`)
      if (blocks.length === limits.maxBlocks) throw malformed(`more than ${limits.maxBlocks} blocks`)
      label = name
      body = []
    } else if (edge === 'END') {
      if (label === undefined || name !== label) throw malformed(`END ${name ?? ''} does not close ${label ?? 'anything'}`)
      blocks.push({ label, bytes: decodeBody(label, body) })
      label = undefined
    } else if (label !== undefined) {
      body.push(line)
    }
  }
  if (label !== undefined) throw malformed(`${label} has no end`)
  return blocks
}

/** Writes one block: base64 in lines of 64 characters, a line feed at the end. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const body = bytesToBase64(bytes).replaceAll(/.{1,64}/g, '$&\n')
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`
}

function decodeBody(label: string, lines: readonly string[]): Uint8Array {
  if (lines.some((line) => line.includes(':'))) throw malformed(`${label} has headers`, 'Convert the key to PKCS#8.')
  try {
    return base64ToBytes(lines.join(''))
  } catch (cause) {
    throw new CountersignError('pem_malformed', `not PEM: ${label} is not canonical base64`, { cause })
  }
}

function malformed(detail: string, hint?: string): CountersignError {
  return new CountersignError('pem_malformed', `not PEM: ${detail}`, hint === undefined ? {} : { hint })
}
