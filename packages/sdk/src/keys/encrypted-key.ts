/** cosign's encrypted private keys: PKCS#8 in NaCl's secretbox under a key that scrypt makes from a password, as JSON in PEM. */
import { randomBytes, scrypt } from 'node:crypto'
import { bytesToBase64 } from '@countersign/core/base64'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { base64Bytes, count, documentPlace, openMembers, refuse, text } from '@countersign/core/json/shape'
import { loadSecretbox, openSecretbox, sealSecretbox } from '@countersign/core/keys/secretbox'
import { decodePem, encodePem } from '@countersign/core/pem'

const label = 'ENCRYPTED SIGSTORE PRIVATE KEY'
const labels: ReadonlySet<string> = new Set([label, 'ENCRYPTED COSIGN PRIVATE KEY'])
const code = 'key_malformed'
/** An RSA key of 4096 bits needs 4,700 characters. */
const maxCharacters = 64 * 1024

/** Costs that cosign takes. Others are refused: a smaller one is weak, a greater one would let a key file exhaust the memory. */
const costs: ReadonlySet<number> = new Set([32_768, 65_536, 131_072])
const writtenCost = 65_536
const blockSize = 8
const parallelization = 1

type Box = { readonly cost: number; readonly salt: Uint8Array; readonly nonce: Uint8Array; readonly ciphertext: Uint8Array }

/** Whether a PEM label is that of an encrypted private key as cosign writes it. */
export function isEncryptedKeyLabel(label: string): boolean {
  return labels.has(label)
}

/**
 * Encrypts a private key (PKCS#8, DER) as cosign does: scrypt with N=65536, r=8, p=1; gives PEM. An empty password encrypts too, which
 * protects nothing but is what cosign does.
 */
export async function encryptPrivateKey(pkcs8: Uint8Array, password: Uint8Array): Promise<string> {
  const salt = randomBytes(32)
  const nonce = randomBytes(24)
  const key = await deriveKey(password, salt, writtenCost)
  const ciphertext = await sealSecretbox(key, nonce, pkcs8)
  key.fill(0)
  const document = {
    kdf: { name: 'scrypt', params: { N: writtenCost, r: blockSize, p: parallelization }, salt: bytesToBase64(salt) },
    cipher: { name: 'nacl/secretbox', nonce: bytesToBase64(nonce) },
    ciphertext: bytesToBase64(ciphertext),
  }
  return encodePem(label, utf8(JSON.stringify(document)))
}

/**
 * Decrypts a private key file; gives PKCS#8, DER, which the caller wipes after use.
 *
 * Throws `pem_malformed`, `key_malformed`, `key_unsupported` (another label, another cipher, scrypt costs outside cosign's list),
 * `key_password_wrong`; `key_password_missing` where an empty password does not open it. 65,536 needs 64 MiB and an eighth of a second, on the thread pool.
 */
export async function decryptPrivateKey(pem: string, password: Uint8Array): Promise<Uint8Array> {
  const box = readBox(pem)
  const [key] = await Promise.all([deriveKey(password, box.salt, box.cost), loadSecretbox()])
  const pkcs8 = await openSecretbox(key, box.nonce, box.ciphertext)
  key.fill(0)
  if (pkcs8 === undefined && password.length === 0) {
    throw new CountersignError('key_password_missing', 'the private key does not open without a password, and none was given', {
      hint: 'Set COUNTERSIGN_PASSWORD or COSIGN_PASSWORD, or run on a terminal to be asked.',
    })
  }
  if (pkcs8 === undefined) {
    throw new CountersignError('key_password_wrong', 'the password does not open the private key, or the file was changed', {
      hint: 'Check COUNTERSIGN_PASSWORD or COSIGN_PASSWORD; on a terminal, without them, you are asked.',
    })
  }
  return pkcs8
}

/** Reads everything but the secret: bad files are refused before anybody is asked for a password. */
export function checkEncryptedKey(pem: string): void {
  readBox(pem)
}

function readBox(pem: string): Box {
  if (pem.length > maxCharacters) throw new CountersignError('pem_malformed', `${pem.length} characters are no private key file`)
  const [block, second] = decodePem(pem)
  if (block === undefined || second !== undefined) throw new CountersignError('pem_malformed', 'a private key file has one PEM block')
  if (!labels.has(block.label)) throw foreignLabel(block.label)
  // Unknown members are ignored, as cosign does: none can change what the known ones mean.
  const root = openMembers(documentPlace(parseJsonAs(code, 'encrypted private key', block.bytes).value, code))
  const kdf = openMembers(root('kdf'))
  const cipher = openMembers(root('cipher'))
  if (text(kdf('name')) !== 'scrypt') throw unsupported('key derivation', 'scrypt', text(kdf('name')))
  if (text(cipher('name')) !== 'nacl/secretbox') throw unsupported('cipher', 'nacl/secretbox', text(cipher('name')))
  const params = openMembers(kdf('params'))
  const [cost, r, p] = [count(params('N')), count(params('r')), count(params('p'))]
  if (!costs.has(cost) || r !== blockSize || p !== parallelization) {
    throw unsupported('scrypt parameters', 'N=32768, 65536 or 131072, r=8, p=1', `N=${cost}, r=${r}, p=${p}`)
  }
  const [salt, nonce] = [base64Bytes(kdf('salt')), base64Bytes(cipher('nonce'))]
  if (salt.length < 16 || salt.length > 64) refuse(kdf('salt'), `${salt.length} bytes`, { expected: '32 bytes' })
  if (nonce.length !== 24) refuse(cipher('nonce'), `${nonce.length} bytes`, { expected: '24 bytes' })
  return { cost, salt, nonce, ciphertext: base64Bytes(root('ciphertext')) }
}

function deriveKey(password: Uint8Array, salt: Uint8Array, cost: number): Promise<Buffer> {
  // RFC 7914: 128·N·r bytes, and as much again for what OpenSSL counts besides.
  const options = { N: cost, r: blockSize, p: parallelization, maxmem: 256 * cost * blockSize }
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(new CountersignError('io_failed', 'scrypt could not run', { cause: error, hint: 'It needs up to 128 MiB of memory.' }))
    })
  })
}

function foreignLabel(found: string): CountersignError {
  const hint = found.endsWith('PRIVATE KEY')
    ? 'Encrypt it with countersign import-key-pair first.'
    : 'Give the private key file that generate-key-pair or import-key-pair wrote.'
  return new CountersignError('key_unsupported', `a PEM block of type ${found} is not an encrypted private key`, {
    expected: label,
    found,
    hint,
  })
}

function unsupported(what: string, expected: string, found: string): CountersignError {
  const shown = found.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 80)
  return new CountersignError('key_unsupported', `the private key file has unsupported ${what}`, { expected, found: shown })
}
