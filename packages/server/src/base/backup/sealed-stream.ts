/**
 * A stream sealed under a passphrase: scrypt, then chunks of 64 KiB in AES-256-GCM, each with its number and, the last one, a mark in its nonce
 * (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, as age has it). A chunk that is changed, moved, repeated or missing does not
 * open, and a stream that was cut off has no last one.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { concatBytes, equalBytes, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { plain } from '../crypto/primitives.ts'
import { stretch } from '../keys/vault.ts'
import { byteReader } from './byte-reader.ts'

/** First bytes of the file: what it is, in which version. */
const magic = utf8('countersign-backup-1\n')
const saltBytes = 32
const chunkBytes = 64 * 1024
const tagBytes = 16

/** Seals; the pieces that come out are to be written one after the other. */
export async function* seal(passphrase: Uint8Array, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const salt = plain(randomBytes(saltBytes))
  const key = await keyOf(passphrase, salt)
  yield concatBytes(magic, salt)
  const reader = byteReader(content)
  let chunk = await reader.upTo(chunkBytes)
  for (let number = 0; ; number++) {
    // One further: only then it is known whether this one is the last.
    const next = chunk.length < chunkBytes ? undefined : await reader.upTo(chunkBytes)
    const isLast = next === undefined || next.length === 0
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number, isLast))
    yield concatBytes(plain(cipher.update(chunk)), plain(cipher.final()), plain(cipher.getAuthTag()))
    if (isLast) return
    chunk = next
  }
}

/**
 * Opens. Throws `backup_damaged` for what is none or was changed or cut off, `key_password_wrong` when the first chunk does not open: nothing tells
 * a wrong passphrase from a changed first chunk.
 */
export async function* open(passphrase: Uint8Array, sealed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = byteReader(sealed)
  const head = await reader.upTo(magic.length + saltBytes)
  if (head.length < magic.length + saltBytes || !equalBytes(head.subarray(0, magic.length), magic)) {
    throw new CountersignError('backup_damaged', 'the file is no backup, or one of another version')
  }
  const key = await keyOf(passphrase, head.subarray(magic.length))
  let chunk = await reader.upTo(chunkBytes + tagBytes)
  for (let number = 0; ; number++) {
    const next = await reader.upTo(chunkBytes + tagBytes)
    const isLast = next.length === 0
    const opened = openChunk(key, nonceOf(number, isLast), chunk)
    if (opened === undefined) {
      if (number > 0 || (isLast && openChunk(key, nonceOf(0, false), chunk) !== undefined)) throw damaged(number)
      throw new CountersignError('key_password_wrong', 'the passphrase does not open the backup, or its beginning was changed', {
        hint: 'It is the passphrase that the installation had when the backup was made.',
      })
    }
    yield opened
    if (isLast) return
    chunk = next
  }
}

async function keyOf(passphrase: Uint8Array, salt: Uint8Array): Promise<Uint8Array> {
  const root = await stretch(passphrase, salt)
  return new Uint8Array(hkdfSync('sha256', root, salt, utf8('countersign backup 1'), 32))
}

/** Eleven bytes of number, one that is 1 for the last chunk. */
function nonceOf(number: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(3, Math.floor(number / 2 ** 32))
  view.setUint32(7, number % 2 ** 32)
  nonce[11] = isLast ? 1 : 0
  return nonce
}

function openChunk(key: Uint8Array, nonce: Uint8Array, chunk: Uint8Array): Uint8Array | undefined {
  if (chunk.length < tagBytes) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  decipher.setAuthTag(chunk.subarray(chunk.length - tagBytes))
  try {
    return concatBytes(plain(decipher.update(chunk.subarray(0, chunk.length - tagBytes))), plain(decipher.final()))
  } catch {
    return undefined
  }
}

function damaged(number: number): CountersignError {
  return new CountersignError('backup_damaged', `the backup was changed or cut off after ${number * chunkBytes} bytes`)
}
