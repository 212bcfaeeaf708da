/** C2SP signed note (c2sp.org/signed-note@v1): a text and the signatures of those who vouch for it. */
import { base64ToBytes } from '../base64.ts'
import { CountersignError } from '../failure.ts'

/** One signature line. The name and key hash only say which key to try. */
export type NoteSignature = {
  readonly name: string
  /** First 4 bytes of the key identifier. */
  readonly keyHash: Uint8Array
  readonly signature: Uint8Array
}

/** A note, parsed. The text, with its last newline, is what each signature is over. */
export type SignedNote = { readonly text: string; readonly signatures: readonly NoteSignature[] }

const maxCharacters = 1024 * 1024
const maxSignatures = 100
const lineStart = '— '

/**
 * Reads a note. Strict: no control character but the newline, the text ends with a newline and is followed by one empty line, at least one
 * and at most 100 signature lines, each of which must be well formed, also those of unknown keys. Throws `note_malformed`.
 */
export function parseSignedNote(note: string): SignedNote {
  if (note.length > maxCharacters) throw malformed(`${note.length} characters`)
  if (!note.isWellFormed() || /[^\P{Cc}\n]/u.test(note)) throw malformed('a control character or lone surrogate')
  // The text may itself contain empty lines: the last one separates.
  const split = note.lastIndexOf('\n\n')
  if (split === -1) throw malformed('no empty line between text and signatures')
  const text = note.slice(0, split + 1)
  const tail = note.slice(split + 2)
  if (!tail.endsWith('\n')) throw malformed(tail === '' ? 'no signature' : 'the last line does not end')
  const lines = tail.slice(0, -1).split('\n')
  if (lines.length > maxSignatures) throw malformed(`${lines.length} signatures`)
  return { text, signatures: lines.map(readSignature) }
}

/** One signature line: the name of the key, and in base64 its hash followed by the signature. */
export function formatSignatureLine(name: string, encodedKeyHashAndSignature: string): string {
  return `${lineStart}${name} ${encodedKeyHashAndSignature}\n`
}

function readSignature(line: string): NoteSignature {
  if (!line.startsWith(lineStart)) throw malformed('a signature line that does not begin with a dash and a space')
  const [name, encoded, ...more] = line.slice(lineStart.length).split(' ')
  // A key name is not empty and has neither Unicode spaces nor a plus sign.
  if (name === undefined || encoded === undefined || more.length > 0 || name === '' || /[\s+]/u.test(name)) {
    throw malformed('a signature line that is not a name and a signature')
  }
  const bytes = readBase64(encoded)
  if (bytes.length < 5) throw malformed('a signature line without a signature')
  return { name, keyHash: bytes.slice(0, 4), signature: bytes.slice(4) }
}

function readBase64(encoded: string): Uint8Array {
  try {
    return base64ToBytes(encoded)
  } catch (cause) {
    throw new CountersignError('note_malformed', 'not a signed note: a signature is not canonical base64', { cause })
  }
}

function malformed(detail: string): CountersignError {
  return new CountersignError('note_malformed', `not a signed note: ${detail}`, {
    expected: `a C2SP note with 1 to ${maxSignatures} signatures`,
  })
}
