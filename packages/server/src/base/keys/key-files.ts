/**
 * Keys in sealed files: `NAME.key` holds the private key (PKCS#8 in AES-256-GCM, its name authenticated with it, in PEM), `NAME.pub` the public
 * key in clear. A key whose private half was taken away keeps its `.pub`.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { equalBytes, fromUtf8 } from '@countersign/core/bytes'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { encodePublicKeyPem, parsePublicKey, parsePublicKeyPem, type PublicKey } from '@countersign/core/keys/public-key'
import { decodePem, encodePem } from '@countersign/core/pem'
import { plain, signMessage } from '../crypto/primitives.ts'
import { createFile, readFileIfThere, replaceFile, syncFolder } from '../data-folder/durable-file.ts'
import type { KeyStore, RoleKey, RoleKeyType, SecretBox } from './role-key.ts'
import { openVault, type Sealing } from './vault.ts'

const label = 'COUNTERSIGN SEALED PRIVATE KEY'

/** The keys of a folder, and the box for small secrets, both opened with one passphrase. */
export type FileKeys = { readonly keys: KeyStore; readonly secrets: SecretBox }

/**
 * Opens a folder of keys whose vault exists (see `createVault`).
 * Throws `data_folder_damaged` or `key_password_wrong`.
 */
export async function fileKeyStore(folder: string, passphrase: Uint8Array): Promise<FileKeys> {
  const vault = await openVault(folder, passphrase)
  return { keys: keyStore(folder, vault.keys), secrets: secretBox(vault.secrets) }
}

function keyStore(folder: string, sealing: Sealing): KeyStore {
  return {
    create: async (name, type) => {
      checkName(name)
      const privateKey = generate(type)
      const sealed = sealing.seal(name, privateKeyBytes(privateKey))
      // The private key first: a public one alone means that the private half was taken away on purpose.
      const free = (await readFileIfThere(join(folder, `${name}.pub`))) === undefined
      if (!free || !(await createFile(join(folder, `${name}.key`), encodePem(label, sealed), 0o600))) {
        throw new CountersignError('key_exists', `there is a key called ${name} already`, { found: folder })
      }
      const key = roleKey(name, privateKey)
      await replaceFile(join(folder, `${name}.pub`), encodePublicKeyPem(key.publicKey), 0o644)
      return key
    },
    open: async (name) => openKey(folder, sealing, name),
    names: async () =>
      (await readdir(folder))
        .filter((file) => /^[a-z0-9].*\.key$/.test(file))
        .map((file) => file.slice(0, -'.key'.length))
        .sort(),
    exportPrivateKey: async (name) => privateKeyBytes(await openPrivateKey(folder, sealing, name)),
    remove: async (name) => {
      // What stays on record must be there before the rest goes.
      await openKey(folder, sealing, name)
      await unlink(join(folder, `${name}.key`))
      await syncFolder(folder)
    },
  }
}

async function openKey(folder: string, sealing: Sealing, name: string): Promise<RoleKey> {
  const key = roleKey(name, await openPrivateKey(folder, sealing, name))
  const path = join(folder, `${name}.pub`)
  const recorded = await readFileIfThere(path)
  // A crash between the two files leaves the private key, from which the public one follows.
  if (recorded === undefined) await replaceFile(path, encodePublicKeyPem(key.publicKey), 0o644)
  else if (!equalBytes(readPublicKey(path, recorded).spki, key.publicKey.spki))
    throw damaged(path, 'it is not the public key of the private key')
  return key
}

async function openPrivateKey(folder: string, sealing: Sealing, name: string): Promise<KeyObject> {
  checkName(name)
  const path = join(folder, `${name}.key`)
  const text = await readFileIfThere(path)
  if (text === undefined) throw await missing(folder, name)
  const sealed = readSealed(path, text)
  const pkcs8 = sealing.open(name, sealed)
  if (pkcs8 === undefined) throw damaged(path, 'it was changed, or belongs to another name or installation')
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
}

async function missing(folder: string, name: string): Promise<CountersignError> {
  const offline = (await readFileIfThere(join(folder, `${name}.pub`))) !== undefined
  return new CountersignError(
    'key_missing',
    offline ? `the private key of ${name} is not here, only its public key` : `there is no key ${name}`,
    {
      expected: join(folder, `${name}.key`),
      hint: offline ? offlineHint(name) : 'Restore it from a backup of this folder.',
    },
  )
}

function offlineHint(name: string): string {
  if (name === 'ca-root') return 'The root is kept elsewhere: have it sign what "countersign ca csr" asks for.'
  return 'Restore it from a backup of this folder.'
}

function readSealed(path: string, text: Uint8Array): Uint8Array {
  try {
    const [block, more] = decodePem(fromUtf8(text), label)
    if (block !== undefined && more === undefined) return block.bytes
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw damaged(path, cause.message)
  }
  throw damaged(path, `expected one block ${label}`)
}

function readPublicKey(path: string, bytes: Uint8Array): PublicKey {
  try {
    return parsePublicKeyPem(fromUtf8(bytes))
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw damaged(path, cause.message)
  }
}

function damaged(path: string, why: string): CountersignError {
  return new CountersignError('data_folder_damaged', `${path} is damaged: ${why}`, { hint: 'Restore it from a backup of this folder.' })
}

/** A key in the memory of this process, which signs with OpenSSL, as its owner signs when nothing else is said. */
export function roleKey(name: string, privateKey: KeyObject): RoleKey {
  const publicKey = parsePublicKey(plain(createPublicKey(privateKey).export({ format: 'der', type: 'spki' })))
  const algorithm = defaultAlgorithm(publicKey)
  return { name, publicKey, algorithm, sign: (message) => signMessage(algorithm, privateKey, message) }
}

function privateKeyBytes(key: KeyObject): Uint8Array {
  return plain(key.export({ format: 'der', type: 'pkcs8' }))
}

function generate(type: RoleKeyType): KeyObject {
  switch (type) {
    case 'ec-p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    case 'ec-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey
    case 'rsa-2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    case 'rsa-3072':
      return generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey
    default:
      return unreachable(type)
  }
}

function secretBox(sealing: Sealing): SecretBox {
  return {
    seal: sealing.seal,
    open: (context, sealed) => {
      const secret = sealing.open(context, sealed)
      if (secret === undefined) throw new CountersignError('secret_damaged', `the sealed secret of ${context} does not open`)
      return secret
    },
  }
}

/** A name becomes a file: it can neither leave the folder nor hide in it. */
function checkName(name: string): void {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) throw new CountersignError('internal', `${JSON.stringify(name)} is no name of a key`)
}
