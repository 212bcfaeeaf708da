import { CountersignError } from '@countersign/core/failure'
import { looksLikeChecksums, readChecksums } from '@countersign/sdk/batch/checksums'
import { describe, expect, it } from 'vitest'

const a = 'a'.repeat(64)

function failure(text: string): string {
  try {
    readChecksums(text, 'SHA256SUMS')
    return 'read'
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return `${cause.code} ${cause.message}`
  }
}

describe('a list of checksums', () => {
  it.each([
    ['as coreutils writes it', `${a}  app.zip`, 'app.zip', `sha256:${a}`],
    ['of binary files', `${a} *app.zip`, 'app.zip', `sha256:${a}`],
    ['in capitals', `${a.toUpperCase()}  app.zip`, 'app.zip', `sha256:${a}`],
    ['with escapes in the name', `\\${a}  a\\nb\\\\c`, 'a\nb\\c', `sha256:${a}`],
    ['as BSD writes it', `SHA256 (a (1).zip) = ${a}`, 'a (1).zip', `sha256:${a}`],
    ['of SHA-512', `${a}${a}  app.zip`, 'app.zip', `sha512:${a}${a}`],
    ['with a folder', `${a}  ./sub/app.zip`, 'sub/app.zip', `sha256:${a}`],
    ['with Windows line ends', `# made by hand\r\n\r\n${a}  app.zip\r\n`, 'app.zip', `sha256:${a}`],
  ])('is read %s', (_what, text, name, digest) => {
    expect(looksLikeChecksums(text)).toBe(true)
    expect(readChecksums(text, 'SHA256SUMS')).toMatchObject([{ name, digest }])
  })

  it.each([
    ['the folder above', '../x'],
    ['the folder above in the middle', 'a/../../x'],
    ['the root', '/etc/passwd'],
    ['a drive', 'C:\\x'],
    ['a share', '\\\\host\\x'],
    ['the folder above, as Windows writes it', 'a\\..\\..\\x'],
    ['nothing', './'],
  ])('attack: a name that leads out of its folder, by %s, is marked', (_what, name) => {
    expect(readChecksums(`${a}  ${name}`, 'SHA256SUMS')).toMatchObject([{ escapes: true }])
  })

  it('attack: a line break in a name is marked, for it would forge lines', () => {
    expect(readChecksums(`\\${a}  a\\nb`, 'SHA256SUMS')).toMatchObject([{ escapes: true }])
  })

  it('takes dots that are no folder as part of the name', () => {
    expect(readChecksums(`${a}  ..a/b..`, 'SHA256SUMS')).toMatchObject([{ escapes: false }])
  })

  it.each([
    ['half a digest', `${a}  x\n${a.slice(1)}  y`],
    ['a digest without name', `${a}  x\n${a}`],
    ['prose', `${a}  x\nhello`],
    ['MD5', `${a}  x\n${a.slice(32)}  y`],
  ])('attack: a line that is none, %s, is refused and not passed over', (_what, text) => {
    expect(failure(text)).toBe('batch_malformed SHA256SUMS:2: neither a digest with a file name nor a comment')
  })

  it('attack: a million lines are refused', () => {
    expect(failure(`${a}  x\n`.repeat(100_001))).toBe('limit_exceeded SHA256SUMS lists more than 100000 files')
  })

  it.each(['', 'registry.example/app:1', 'apiVersion: v1', a])('is not %j', (text) => {
    expect(looksLikeChecksums(text)).toBe(false)
  })
})
