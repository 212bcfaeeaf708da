/** Where the passphrase of the key files comes from when nobody is there: the configuration says. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { createFile, readFileIfThere } from '../data-folder/durable-file.ts'
import type { Field } from './field.ts'
import { formatSecretReference, parseSecretReference, resolveSecret, type SecretReference, type SecretSources } from './reference.ts'

/** A secret by reference, a question on the terminal, or (when nothing is configured) a file that the first start makes in the data folder. */
export type PassphraseSource =
  | { readonly kind: 'reference'; readonly reference: SecretReference }
  | { readonly kind: 'prompt' }
  | { readonly kind: 'generated' }

/** What the sources need. `ask` is absent where there is no terminal. */
export type PassphraseAccess = SecretSources & { readonly ask?: (question: string) => Promise<string> }

const generatedFile = 'passphrase'

/** `file:PATH`, `env:NAME`, `credential:NAME` or `prompt`. */
export function passphraseField(secret: Field<SecretReference>): Field<PassphraseSource> {
  return {
    schema: { anyOf: [secret.schema, { const: 'prompt' }] },
    read: (at, context) => (at.value === 'prompt' ? { kind: 'prompt' } : { kind: 'reference', reference: secret.read(at, context) }),
  }
}

/** The source in words, without anything secret. */
export function describePassphraseSource(source: PassphraseSource, data: string): string {
  if (source.kind === 'reference') return formatSecretReference(source.reference)
  return source.kind === 'prompt' ? 'prompt' : formatSecretReference({ kind: 'file', name: join(data, generatedFile) })
}

/** The file of a passphrase that is kept outside of the data folder. */
export function passphraseFile(source: PassphraseSource): string | undefined {
  return source.kind === 'reference' && source.reference.kind === 'file' ? source.reference.name : undefined
}

/**
 * The passphrase of an installation. `first` is true until the first start is complete: then the default source makes its file, or takes the
 * one that an interrupted first start made. Throws `config_reference_missing`, `data_folder_damaged` when the generated file is gone,
 * `key_password_missing` when there is nobody to ask.
 */
export async function readPassphrase(
  source: PassphraseSource,
  data: string,
  access: PassphraseAccess,
  first: boolean,
): Promise<Uint8Array> {
  if (source.kind === 'reference') return resolveSecret(source.reference, access)
  if (source.kind === 'prompt') return askFor(access, first)
  const path = join(data, generatedFile)
  if (first) await createFile(path, `${randomBytes(32).toString('base64url')}\n`, 0o600)
  const bytes = await readFileIfThere(path)
  if (bytes !== undefined) return resolveSecret({ kind: 'file', name: path }, access)
  throw new CountersignError('data_folder_damaged', `${path} is missing: it opens the keys of this installation`, {
    hint: 'Restore it, or say in the configuration under keys.passphrase where the passphrase is now.',
  })
}

/** What the default protects and what not, for the person who starts it the first time. */
export function generatedPassphraseNotice(data: string): string {
  return `The keys are sealed with the passphrase in ${join(data, generatedFile)}. It protects a copy of the keys alone, not one of the whole folder: who can read the folder has the keys. To keep it elsewhere, move it and name its place under keys.passphrase (file:, env:, credential: or prompt).`
}

async function askFor({ ask }: PassphraseAccess, first: boolean): Promise<Uint8Array> {
  if (ask === undefined) {
    throw new CountersignError('key_password_missing', 'the passphrase is to be asked for, and there is no terminal', {
      hint: 'Start it in a terminal, or give keys.passphrase another source: file:, env: or credential:.',
    })
  }
  const answer = await ask(first ? 'New passphrase for the keys: ' : 'Passphrase of the keys: ')
  if (first && (await ask('The same again: ')) !== answer) throw new CountersignError('key_password_wrong', 'the two passphrases differ')
  if (answer === '') throw new CountersignError('key_password_missing', 'the passphrase is empty')
  return new Uint8Array(Buffer.from(answer))
}

/** Reads a passphrase source as it stands on a command line. Throws `usage` for anything else, which may be a passphrase and is not shown. */
export function typedPassphraseSource(text: string): PassphraseSource {
  if (text === 'prompt') return { kind: 'prompt' }
  const reference = parseSecretReference(text)
  if (reference !== undefined) return { kind: 'reference', reference }
  throw new CountersignError('usage', 'a passphrase is not typed here but named', {
    expected: 'file:PATH, env:NAME, credential:NAME or prompt',
  })
}
