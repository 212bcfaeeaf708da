/**
 * The vault of a folder of keys: what a passphrase opens. `vault.json` holds the salt of scrypt and a tag by which a wrong passphrase is told
 * from damaged files; from the key that comes out, one key for private keys and one for small secrets are derived (HKDF, RFC 5869).
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scrypt } from 'node:crypto'
import { join } from 'node:path'
import { bytesToBase64 } from '@countersign/core/base64'
import { concatBytes, fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { base64Bytes, count, documentPlace, members, oneOf, refuse } from '@countersign/core/json/shape'
import { parseJson } from '@countersign/core/json/parse'
import { equalSecrets, plain } from '../crypto/primitives.ts'
import { createFile, makeFolder, readFileIfThere } from '../data-folder/durable-file.ts'

/** Seals and opens bytes; the context is authenticated with them. */
export type Sealing = {
  /** AES-256-GCM: version 1, nonce of 12 bytes, ciphertext, tag of 16. */
  readonly seal: (context: string, secret: Uint8Array) => Uint8Array
  /** `undefined` for other bytes, another context or another vault. */
  readonly open: (context: string, sealed: Uint8Array) => Uint8Array | undefined
}

/** An opened vault. */
export type Vault = { readonly keys: Sealing; readonly secrets: Sealing }

/** 64 MiB and a tenth of a second per attempt (RFC 7914 §2; cosign's own costs). */
const cost = { N: 65_536, r: 8, p: 1 }
const file = 'vault.json'

/** Makes the vault of a folder; the folder is made where it is absent. `false` when there is one already, untouched. */
export async function createVault(folder: string, passphrase: Uint8Array): Promise<boolean> {
  const salt = plain(randomBytes(32))
  const check = derive(await stretch(passphrase, salt), 'check')
  await makeFolder(folder)
  const kdf = { name: 'scrypt', ...cost, salt: bytesToBase64(salt) }
  return createFile(join(folder, file), `${JSON.stringify({ version: 1, kdf, check: bytesToBase64(check) }, undefined, 2)}\n`, 0o600)
}

/**
 * Opens the vault of a folder. Throws `data_folder_damaged` when `vault.json` is missing or malformed (never makes a new one: the keys sealed
 * under the old would be lost), `key_password_wrong` for another passphrase.
 */
export async function openVault(folder: string, passphrase: Uint8Array): Promise<Vault> {
  const path = join(folder, file)
  const bytes = await readFileIfThere(path)
  if (bytes === undefined) {
    throw new CountersignError('data_folder_damaged', `${path} is missing: without it no key of this folder opens`, {
      hint: 'Restore it from a backup of this folder.',
    })
  }
  const { salt, check } = readVault(path, bytes)
  const root = await stretch(passphrase, salt)
  if (!equalSecrets(derive(root, 'check'), check)) {
    throw new CountersignError('key_password_wrong', `the passphrase does not open ${path}`, {
      hint: 'Check where the configuration takes the passphrase from.',
    })
  }
  return { keys: sealing(derive(root, 'keys')), secrets: sealing(derive(root, 'secrets')) }
}

function readVault(path: string, bytes: Uint8Array): { readonly salt: Uint8Array; readonly check: Uint8Array } {
  try {
    const field = members(documentPlace(parseJson(fromUtf8(bytes), { maxBytes: 4096 }), 'data_folder_damaged'), ['version', 'kdf', 'check'])
    if (count(field('version')) !== 1) refuse(field('version'), 'another version of vault')
    const kdf = members(field('kdf'), ['name', 'N', 'r', 'p', 'salt'])
    oneOf(kdf('name'), ['scrypt'])
    for (const name of ['N', 'r', 'p'] as const) if (count(kdf(name)) !== cost[name]) refuse(kdf(name), `expected ${cost[name]}`)
    const [salt, check] = [base64Bytes(kdf('salt')), base64Bytes(field('check'))]
    if (salt.length !== 32) refuse(kdf('salt'), 'expected 32 bytes')
    if (check.length !== 32) refuse(field('check'), 'expected 32 bytes')
    return { salt, check }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('data_folder_damaged', `${path} is damaged: ${cause.message}`, {
      hint: 'Restore it from a backup of this folder.',
      cause,
    })
  }
}

/** The key that scrypt makes of a passphrase, 32 bytes. Throws `key_password_missing` for an empty one, `io_failed` without the memory. */
export function stretch(passphrase: Uint8Array, salt: Uint8Array): Promise<Uint8Array> {
  if (passphrase.length === 0) throw new CountersignError('key_password_missing', 'the passphrase is empty')
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 32, { ...cost, maxmem: 128 * 1024 * 1024 }, (error, key) => {
      if (error === null) resolve(plain(key))
      else reject(new CountersignError('io_failed', 'scrypt could not run', { cause: error, hint: 'It needs 64 MiB of memory.' }))
    })
  })
}

function derive(root: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', root, new Uint8Array(), utf8(`countersign vault 1 ${purpose}`), 32))
}

/** Random nonces: below 2^32 seals under one key a repetition is out of the question (NIST SP 800-38D §8.3). */
function sealing(key: Uint8Array): Sealing {
  return {
    seal: (context, secret) => {
      const nonce = plain(randomBytes(12))
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(utf8(context))
      return concatBytes(Uint8Array.of(1), nonce, plain(cipher.update(secret)), plain(cipher.final()), plain(cipher.getAuthTag()))
    },
    open: (context, sealed) => {
      if (sealed.length < 29 || sealed[0] !== 1) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13), { authTagLength: 16 })
      decipher.setAAD(utf8(context)).setAuthTag(sealed.subarray(sealed.length - 16))
      try {
        return concatBytes(plain(decipher.update(sealed.subarray(13, sealed.length - 16))), plain(decipher.final()))
      } catch {
        return undefined
      }
    },
  }
}
