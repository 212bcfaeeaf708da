/** Secrets by reference: a configuration says where a secret is, never what it is. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'

/** Where a secret is: a file, a variable of the environment, a systemd credential (a file in `$CREDENTIALS_DIRECTORY`). */
export type SecretReference = { readonly kind: 'file' | 'env' | 'credential'; readonly name: string }

/** What references are resolved with. */
export type SecretSources = { readonly environment: Readonly<Record<string, string | undefined>> }

/** A passphrase is a few words, a key file a few kilobytes. */
const maxBytes = 65_536

/** Reads `file:PATH`, `env:NAME` or `credential:NAME`; `undefined` for anything else, which may be the secret itself. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const match = /^(?:(file):([^\0]{1,4096})|(env):([A-Za-z_][A-Za-z0-9_]{0,255})|(credential):([A-Za-z0-9][A-Za-z0-9._-]{0,255}))$/.exec(
    text,
  )
  if (match === null) return undefined
  const [, file, path, env, variable, , credential] = match
  if (file !== undefined) return { kind: 'file', name: path as string }
  return env === undefined ? { kind: 'credential', name: credential as string } : { kind: 'env', name: variable as string }
}

/** The reference as it is written. */
export function formatSecretReference({ kind, name }: SecretReference): string {
  return `${kind}:${name}`
}

/**
 * The secret that a reference names, without the line break at the end of a file. Throws `config_reference_missing` when it is not there or
 * empty; no message holds any of it.
 */
export async function resolveSecret(reference: SecretReference, sources: SecretSources): Promise<Uint8Array> {
  const { kind, name } = reference
  if (kind === 'env') {
    const value = sources.environment[name]
    if (value === undefined || value === '') throw missing(reference, 'the variable is not set')
    return new Uint8Array(Buffer.from(value))
  }
  const folder = sources.environment['CREDENTIALS_DIRECTORY']
  if (kind === 'credential' && folder === undefined)
    throw missing(reference, 'CREDENTIALS_DIRECTORY is not set: not started by systemd with LoadCredential=')
  const path = kind === 'file' ? name : join(folder as string, name)
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (cause) {
    throw missing(reference, `${path} cannot be read`, cause)
  }
  const end = bytes.at(-1) !== 0x0a ? bytes.length : bytes.at(-2) === 0x0d ? bytes.length - 2 : bytes.length - 1
  if (end === 0) throw missing(reference, `${path} is empty`)
  if (end > maxBytes) throw missing(reference, `${path} is larger than ${maxBytes} bytes`)
  return new Uint8Array(bytes.subarray(0, end))
}

function missing(reference: SecretReference, why: string, cause?: unknown): CountersignError {
  return new CountersignError('config_reference_missing', `the secret ${formatSecretReference(reference)} is not there: ${why}`, { cause })
}
