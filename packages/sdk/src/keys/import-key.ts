/** Takes private keys that other tools made. */
import { createPrivateKey, type KeyObject, type PrivateKeyInput, randomBytes } from 'node:crypto'
import { fromUtf8 } from '@countersign/core/bytes'
import { parseDer, readOid, readSequence, readSmallInteger, withDerCode } from '@countersign/core/der/reader'
import { CountersignError } from '@countersign/core/failure'
import { decodePem, type PemBlock } from '@countersign/core/pem'
import { isEncryptedKeyLabel } from './encrypted-key.ts'
import { signerOf } from './file-signer.ts'
import { type KeyPairPem, toPem } from './generate.ts'
import { ofHandle, type PrivateKey } from './private-key.ts'

/** What to import. */
export type ImportRequest = {
  /** PEM: `PRIVATE KEY`, `EC PRIVATE KEY`, `RSA PRIVATE KEY` or `ENCRYPTED PRIVATE KEY`, alone or after `EC PARAMETERS`. */
  readonly pem: Uint8Array
  /** Opens an `ENCRYPTED PRIVATE KEY` (PKCS#8, PBES2). */
  readonly inputPassword?: Uint8Array
  /** Encrypts the result. */
  readonly password: Uint8Array
}

const maxBytes = 64 * 1024
const pbkdf2 = '1.2.840.113549.1.5.12'
/** A few seconds. */
const maxIterations = 10_000_000
const types: Readonly<Record<string, PrivateKeyInput['type']>> = {
  'PRIVATE KEY': 'pkcs8',
  'ENCRYPTED PRIVATE KEY': 'pkcs8',
  'EC PRIVATE KEY': 'sec1',
  'RSA PRIVATE KEY': 'pkcs1',
}

/**
 * Reads a private key of another tool and encrypts it as {@link KeyPairPem}.
 *
 * Takes ECDSA on P-256, P-384 and P-521, Ed25519, and RSA of 2048, 3072 or 4096 bits with the exponent 65537, which are the keys that cosign
 * takes. Throws `pem_malformed`, `key_malformed` (also when the two halves do not match), `key_unsupported`, `key_password_missing`,
 * `key_password_wrong`.
 */
export async function importPrivateKey(request: ImportRequest): Promise<KeyPairPem> {
  if (request.pem.length > maxBytes) throw new CountersignError('pem_malformed', `${request.pem.length} bytes are no private key file`)
  const key = ofHandle(readHandle(privateBlock(fromUtf8(request.pem)), request.inputPassword))
  checkRsa(key)
  await checkHalves(key)
  return toPem(key, request.password)
}

function privateBlock(text: string): PemBlock {
  const blocks = decodePem(text).filter((block) => block.label !== 'EC PARAMETERS')
  const [block, second] = blocks
  if (block === undefined || second !== undefined) {
    throw new CountersignError('pem_malformed', `the file has ${blocks.length} keys`, { expected: 'one private key' })
  }
  if (types[block.label] !== undefined) return block
  throw new CountersignError('key_unsupported', `a PEM block of type ${block.label} cannot be imported`, {
    expected: 'a private key as PKCS#8, SEC 1 or PKCS#1',
    found: block.label,
    ...(isEncryptedKeyLabel(block.label) ? { hint: 'This key is in the form that signing needs: use it as it is.' } : {}),
  })
}

function readHandle(block: PemBlock, password: Uint8Array | undefined): KeyObject {
  const encrypted = block.label === 'ENCRYPTED PRIVATE KEY'
  if (encrypted && password === undefined) {
    throw new CountersignError('key_password_missing', 'the key to import is encrypted', { hint: 'Give the password that opens it.' })
  }
  if (encrypted) checkIterations(block.bytes)
  const input: PrivateKeyInput = { key: Buffer.from(block.bytes), format: 'der', type: types[block.label] }
  try {
    return createPrivateKey(encrypted && password !== undefined ? { ...input, passphrase: Buffer.from(password) } : input)
  } catch (cause) {
    // OpenSSL decrypts before it parses, and cannot tell a wrong password from a damaged file.
    if (encrypted)
      throw new CountersignError('key_password_wrong', 'the password does not open the key to import, or the file is damaged', { cause })
    throw new CountersignError('key_malformed', `not a private key: the block ${block.label} does not parse`, { cause })
  } finally {
    block.bytes.fill(0)
  }
}

/**
 * RFC 8018 appendix A: EncryptedPrivateKeyInfo { { PBES2, { { PBKDF2, { salt, iterations, … } }, … } }, … }. OpenSSL would count to any number
 * that the file names, and nothing can stop it on the way.
 */
function checkIterations(der: Uint8Array): void {
  const iterations = withDerCode('key_malformed', 'not an encrypted private key', () => {
    const [, parameters] = readSequence(readSequence(parseDer(der))[0])
    const [kdf, kdfParameters] = readSequence(readSequence(parameters)[0])
    // OpenSSL bounds the memory of scrypt, the other function, itself.
    return readOid(kdf) === pbkdf2 ? readSmallInteger(readSequence(kdfParameters)[1]) : 0
  })
  if (iterations > maxIterations) {
    throw new CountersignError('key_unsupported', 'opening the key would take too long', {
      expected: `at most ${maxIterations} iterations of PBKDF2`,
      found: `${iterations}`,
    })
  }
}

/** Keys of other sizes would verify here, and nowhere in the Sigstore world (goodkey). */
function checkRsa({ handle, publicKey }: PrivateKey): void {
  if (publicKey.type !== 'rsa') return
  const { modulusLength, publicExponent } = handle.asymmetricKeyDetails ?? {}
  if (publicExponent === 65_537n && [2048, 3072, 4096].includes(modulusLength ?? 0)) return
  throw new CountersignError('key_unsupported', 'an RSA key that other verifiers refuse', {
    expected: '2048, 3072 or 4096 bits and the exponent 65537',
    found: `${modulusLength ?? 0} bits and the exponent ${publicExponent ?? 0n}`,
  })
}

/** A file can carry a public half of another key; whoever verified with it would trust a stranger. */
async function checkHalves(key: PrivateKey): Promise<void> {
  try {
    await signerOf(key).signMessage(randomBytes(32))
  } catch (cause) {
    throw new CountersignError('key_malformed', 'the private and the public half of the key do not belong together', { cause })
  }
}
