import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodePem, encodePem } from '@countersign/core/pem'
import { failureOf, refusal } from '../refusal.ts'

const block = encodePem('PUBLIC KEY', new Uint8Array(100).fill(7))

describe('encodePem', () => {
  it('writes the strict form of RFC 7468 §3: lines of 64 characters, LF at the end of each', () => {
    expect(block).toMatch(/^-----BEGIN PUBLIC KEY-----\n(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/=]{1,64}\n-----END PUBLIC KEY-----\n$/)
  })

  it('reads back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (bytes) => {
        expect(decodePem(encodePem('CERTIFICATE', bytes))).toEqual([{ label: 'CERTIFICATE', bytes }])
      }),
    )
  })

  it('refuses labels that could break out of the boundary line', () => {
    for (const label of ['', 'A\n', 'A-----', ' A', 'a']) expect(refusal(() => encodePem(label, Uint8Array.of(1)))).toBe('pem_malformed')
  })
})

describe('decodePem', () => {
  it('reads several blocks in order and ignores text around them', () => {
    const text = `subject=CN=a\n${encodePem('CERTIFICATE', Uint8Array.of(1))}\nissuer: b\r\n${encodePem('CERTIFICATE', Uint8Array.of(2))}end`
    expect(decodePem(text, 'CERTIFICATE').map((found) => found.bytes[0])).toEqual([1, 2])
  })

  it('reads CRLF, CR, blanks at the end of lines and lines of any length', () => {
    for (const variant of [
      block.replaceAll('\n', '\r\n'),
      block.replaceAll('\n', '\r'),
      block.replaceAll('\n', ' \t\n'),
      block.trimEnd(),
    ]) {
      expect(decodePem(variant)).toEqual(decodePem(block))
    }
  })

  it.each([
    ['no block', 'hello'],
    ['a block that does not end', block.slice(0, 60)],
    ['a block that ends under another label', block.replace('END PUBLIC', 'END PRIVATE')],
    ['a block inside a block', block.replace('\n', `\n${block}`)],
    ['an end without a begin', `-----END PUBLIC KEY-----\n${block}`],
    ['an empty block', '-----BEGIN X-----\n-----END X-----\n'],
    ['headers of RFC 1421', block.replace('KEY-----\n', 'KEY-----\nProc-Type: 4,ENCRYPTED\n\n')],
    ['base64 that is not canonical', '-----BEGIN X-----\nQR==\n-----END X-----'],
    ['padding in the middle', '-----BEGIN X-----\nQQ==\nQQ==\n-----END X-----'],
    ['a boundary with four dashes', block.replace('KEY-----', 'KEY----')],
    ['blanks at the start of a line', block.replace('\nB', '\n B')],
  ])('refuses %s', (_, text) => {
    expect(refusal(() => decodePem(text))).toBe('pem_malformed')
  })

  it('refuses a block of another label than asked for', () => {
    expect(failureOf(() => decodePem(block, 'CERTIFICATE'))).toMatchObject({ code: 'pem_malformed', found: 'a block "PUBLIC KEY"' })
  })

  it('refuses too many blocks and too much text, and says nothing of what was inside', () => {
    expect(refusal(() => decodePem(encodePem('X', Uint8Array.of(1)).repeat(1_001)))).toBe('pem_malformed')
    expect(refusal(() => decodePem('x'.repeat(17 * 1024 * 1024)))).toBe('pem_malformed')
    const failure = failureOf(() => decodePem('-----BEGIN PRIVATE KEY-----\nSECRET!\n-----END PRIVATE KEY-----'))
    expect(JSON.stringify([failure?.message, failure?.found, String(failure?.cause)])).not.toContain('SECRET')
  })

  it('refuses mutants with its own code and nothing else', () => {
    fc.assert(
      fc.property(fc.nat(block.length - 1), fc.string({ maxLength: 3 }), (at, replacement) => {
        expect([undefined, 'pem_malformed']).toContain(refusal(() => decodePem(block.slice(0, at) + replacement + block.slice(at + 1))))
      }),
    )
  })
})
