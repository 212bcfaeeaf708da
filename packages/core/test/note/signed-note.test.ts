import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSignatureLine, parseSignedNote } from '@countersign/core/note/signed-note'
import { refusal } from '../refusal.ts'

// The example of c2sp.org/signed-note@v1.
const text = 'If you think cryptography is the answer to your problem,\nthen you don\u2019t know what your problem is.\n'
const line = formatSignatureLine(
  'PeterNeumann',
  'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=',
)

describe('parseSignedNote', () => {
  it('reads the example of the specification', () => {
    const note = parseSignedNote(`${text}\n${line}`)
    expect(note.text).toBe(text)
    expect(note.signatures).toHaveLength(1)
    expect(note.signatures[0]).toMatchObject({ name: 'PeterNeumann', keyHash: Uint8Array.of(0xc7, 0x4f, 0x20, 0xa3) })
    expect(note.signatures[0]?.signature).toHaveLength(64)
  })

  it('reads up to 100 signatures and refuses more', () => {
    expect(parseSignedNote(`${text}\n${line.repeat(100)}`).signatures).toHaveLength(100)
    expect(refusal(() => parseSignedNote(`${text}\n${line.repeat(101)}`))).toBe('note_malformed')
  })

  it('lets the text hold empty lines: the last one separates', () => {
    expect(parseSignedNote(`a\n\nb\n\n${line}`).text).toBe('a\n\nb\n')
  })

  it.each([
    ['no empty line', text + line],
    ['no signature', `${text}\n`],
    ['an empty line and nothing else', `${text}\n\n`],
    ['no newline at the end', `${text}\n${line.trimEnd()}`],
    ['a line after the signatures', `${text}\n${line}x\n`],
    ['a hyphen in place of the dash', `${text}\n${line.replace('—', '-')}`],
    ['a key name with a plus sign', `${text}\n${line.replace('Peter', 'a+b')}`],
    ['a key name with a space', `${text}\n${line.replace('Peter', 'a b')}`],
    ['a key name with a no-break space', `${text}\n${line.replace('Peter', 'a\u00a0b')}`],
    ['an empty key name', `${text}\n${line.replace('PeterNeumann', '')}`],
    ['base64 that is not canonical', `${text}\n— a QR==\n`],
    ['a key hash without a signature', `${text}\n— a AAAAAA==\n`],
    ['one malformed line among good ones', `${text}\n${line}— x !\n`],
    ['a carriage return', `${text.replace('\n', '\r\n')}\n${line}`],
    ['a NUL', `\u0000${text}\n${line}`],
    ['a lone surrogate', `\ud800${text}\n${line}`],
    ['nothing', ''],
    ['two megabytes', `${'x'.repeat(2_000_000)}\n\n${line}`],
  ])('refuses %s', (_, note) => {
    expect(refusal(() => parseSignedNote(note))).toBe('note_malformed')
  })

  it('refuses mutants with its own code and nothing else', () => {
    const note = `${text}\n${line}`
    fc.assert(
      fc.property(fc.nat(note.length), fc.string({ unit: 'binary', maxLength: 3 }), (at, replacement) => {
        expect([undefined, 'note_malformed']).toContain(
          refusal(() => parseSignedNote(note.slice(0, at) + replacement + note.slice(at + 1))),
        )
      }),
    )
  })
})
