/** References to keys as the command line takes them: a path, `env://VARIABLE`, or an https URL. */
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKeyPem, type PublicKey } from '@countersign/core/keys/public-key'
import { decodePem } from '@countersign/core/pem'
import { isLoopbackHost } from '../http/address.ts'
import type { Signer } from '../sign/signer.ts'
import { checkEncryptedKey, decryptPrivateKey, isEncryptedKeyLabel } from './encrypted-key.ts'
import type { PasswordSource } from './password.ts'

/** A reference, taken apart. */
export type KeyReference =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'url'; readonly url: URL }

/** The IO that keys need. */
export type KeyIo = {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The whole file. Throws `file_not_found`, `io_failed`, or `limit_exceeded` beyond `maxBytes`. */
  readonly readFile: (path: string, maxBytes: number) => Promise<Uint8Array>
  /** The body of a 200 answer. Throws `limit_exceeded` beyond `maxBytes`, else the codes of the HTTP client. */
  readonly download: (url: URL, maxBytes: number) => Promise<Uint8Array>
}

const maxBytes = 1024 * 1024

/** Stores that cosign reads and this version does not. */
const laterStores: Readonly<Record<string, string>> = {
  awskms: 'AWS KMS',
  gcpkms: 'Google Cloud KMS',
  azurekms: 'Azure Key Vault',
  hashivault: 'HashiCorp Vault',
  openbao: 'OpenBao',
  k8s: 'Kubernetes secrets',
  gitlab: 'GitLab variables',
  github: 'GitHub secrets',
  pkcs11: 'PKCS#11 tokens',
}

/**
 * Takes a reference apart. Throws `usage` for text that is none, `insecure_transport` for http to another machine, and `not_supported`, by
 * name, for key stores that cosign has and this version does not.
 */
export function parseKeyReference(reference: string): KeyReference {
  const scheme =
    /^([A-Za-z][A-Za-z0-9+.-]{0,31}):\/\//.exec(reference)?.[1]?.toLowerCase() ?? (reference.startsWith('pkcs11:') ? 'pkcs11' : undefined)
  if (scheme === undefined) {
    if (reference === '' || reference.includes('\0'))
      throw new CountersignError('usage', 'the key reference is empty', { expected: 'a path' })
    return { kind: 'file', path: reference }
  }
  if (scheme === 'env') return environmentReference(reference.slice('env://'.length))
  if (scheme === 'https' || scheme === 'http') return urlReference(reference)
  const store = laterStores[scheme]
  throw new CountersignError('not_supported', `keys in ${store ?? `${scheme}://`} are not supported`, {
    expected: 'a file, env://VARIABLE or https://…',
    found: `${scheme}:`,
    hint:
      scheme === 'file'
        ? 'Give the path without file://.'
        : 'Export the public key to a file; sign with a key from generate-key-pair or import-key-pair.',
  })
}

/**
 * Loads a public key. Never derives one from a private key: whoever verifies must hold the public half alone.
 * Throws the failures of {@link parseKeyReference}, of the IO, and `pem_malformed`, `key_malformed`, `key_unsupported`.
 */
export async function loadPublicKey(reference: string, io: KeyIo): Promise<PublicKey> {
  return parsePublicKeyPem(await readText(parseKeyReference(reference), io))
}

/** Where an encrypted private key and its password come from. */
export type KeySources = { readonly password: PasswordSource; readonly io: KeyIo }

/**
 * Loads an encrypted private key and opens a signer over it.
 * Throws as {@link loadPublicKey}, and `key_password_missing`, `key_password_wrong`. The password is asked for only when the file is sound.
 */
export async function loadSigner(reference: string, sources: KeySources): Promise<Signer> {
  const open = await readSigner(reference, sources)
  return open()
}

/**
 * The first half of {@link loadSigner}: reads the key and checks all of it that needs no password. The second half, which it gives, asks for
 * the password and decrypts, which takes an eighth of a second of another thread: time for other work.
 */
export async function readSigner(reference: string, sources: KeySources): Promise<() => Promise<Signer>> {
  const pem = await readText(parseKeyReference(reference), sources.io)
  checkEncryptedKey(pem)
  return () => openPem(pem, sources.password)
}

/** The public half of either kind of file, for `public-key --key`: a `PUBLIC KEY`, or an encrypted private key and its password. */
export async function loadPublicHalf(reference: string, sources: KeySources): Promise<PublicKey> {
  const pem = await readText(parseKeyReference(reference), sources.io)
  const label = decodePem(pem)[0]?.label ?? ''
  return isEncryptedKeyLabel(label) ? (await openPem(pem, sources.password)).publicKey : parsePublicKeyPem(pem)
}

async function openPem(pem: string, passwordOf: PasswordSource): Promise<Signer> {
  checkEncryptedKey(pem)
  const password = await passwordOf()
  if (password === undefined) {
    throw new CountersignError('key_password_missing', 'the private key needs a password and there is no terminal to ask', {
      hint: 'Set COUNTERSIGN_PASSWORD (empty for a key without password).',
    })
  }
  // What handles the key is loaded while the password is being made into the key's key.
  const [pkcs8, { openSigner }] = await Promise.all([decryptPrivateKey(pem, password), import('./file-signer.ts')])
  try {
    return openSigner(pkcs8)
  } finally {
    pkcs8.fill(0)
  }
}

function environmentReference(variable: string): KeyReference {
  if (!/^[^=\0]{1,256}$/.test(variable))
    throw new CountersignError('usage', 'env:// needs the name of a variable', { expected: 'env://VARIABLE' })
  return { kind: 'environment', variable }
}

function urlReference(reference: string): KeyReference {
  const url = URL.parse(reference)
  if (url === null || url.username !== '' || url.password !== '') {
    throw new CountersignError('usage', 'the key reference is not a URL without user name', { expected: 'https://host/path' })
  }
  // A key that came over plain http is the key of whoever sits on the line.
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    throw new CountersignError('insecure_transport', 'a key is never read over plain http', { found: url.host, hint: 'Use https.' })
  }
  return { kind: 'url', url }
}

async function readText(reference: KeyReference, io: KeyIo): Promise<string> {
  if (reference.kind === 'file')
    return fromUtf8(await io.readFile(reference.path, maxBytes).catch((cause: unknown) => commaIn(reference.path, cause)))
  if (reference.kind === 'url') return fromUtf8(await io.download(reference.url, maxBytes))
  const value = io.environment[reference.variable]
  if (value === undefined)
    throw new CountersignError('usage', `the variable ${reference.variable} is not set`, { hint: 'Put the PEM text into it.' })
  return value
}

/** Other flags take lists with commas; a path may hold one, so only where there is no such file is a list meant. */
function commaIn(path: string, cause: unknown): never {
  if (!path.includes(',') || !(cause instanceof CountersignError) || cause.code !== 'file_not_found') throw cause
  throw new CountersignError('file_not_found', cause.message, {
    cause,
    hint: 'Check the path. Several keys are given one by one: --key a.pub --key b.pub.',
  })
}
