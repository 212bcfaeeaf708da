/** Signatures in files: which of them belong to which file, and their bytes. */
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { maxDocumentBytes } from '@countersign/core/json/parse'
import { systemCode, unreadableFile } from '../file-failure.ts'
import { readBoundedFile } from '../bounded-file.ts'
import type { EvidenceSource } from './model.ts'
import { once, type Once } from './once.ts'

/** What is appended to a file's name, in the order in which it is tried. */
const suffixes = ['.sigstore.json', '.bundle', '.sigstore', '.sig'] as const
/** Most signatures beside one file. */
export const maxBeside = 64

/** Which files of a folder are signatures of which others, by name. */
export type EvidenceIndex = ReadonlyMap<string, readonly string[]>

/**
 * Of `app`, `app.sigstore.json` is a signature, as are `app.bundle`, `app.sigstore` and `app.sig`; and `app.alice.sigstore.json`, where several
 * have signed, unless there is a file `app.alice`.
 */
export function indexEvidence(files: ReadonlySet<string>): EvidenceIndex {
  const index = new Map<string, string[]>()
  const add = (base: string, name: string): void => {
    const known = index.get(base)
    if (known === undefined) index.set(base, [name])
    else known.push(name)
  }
  for (const suffix of suffixes) {
    for (const name of files) {
      if (!name.endsWith(suffix)) continue
      const base = name.slice(0, -suffix.length)
      if (files.has(base)) add(base, name)
      else if (suffix === '.sigstore.json' && files.has(withoutExtension(base))) add(withoutExtension(base), name)
    }
  }
  return index
}

/** Whether a file is called as a signature is. */
export function isEvidenceName(name: string): boolean {
  return suffixes.some((suffix) => name.endsWith(suffix))
}

function withoutExtension(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? name : name.slice(0, dot)
}

/** Where the signatures of a file are, each folder looked at once. Throws `no_signature` when there are none, `limit_exceeded` beyond 64. */
export async function findEvidence(path: string, source: EvidenceSource, memory: Once = once()): Promise<readonly string[]> {
  if (source.kind === 'files') return source.paths
  const folder = dirname(path)
  const index = await memory(JSON.stringify(['folder', folder]), () => evidenceIn(folder))
  const names = index.get(basename(path)) ?? []
  if (names.length > maxBeside)
    throw new CountersignError('limit_exceeded', `${names.length} signatures lie beside ${path}`, { expected: `at most ${maxBeside}` })
  if (names.length > 0) return names.map((name) => join(folder, name))
  throw new CountersignError('no_signature', `${path} has no signature beside it`, {
    expected: suffixes.map((suffix) => `${basename(path)}${suffix}`).join(' or '),
    hint: 'Sign it, or name the bundle or signature.',
  })
}

/** The index of a folder; empty where there is none. Throws `io_failed`. */
export async function evidenceIn(folder: string): Promise<EvidenceIndex> {
  try {
    return indexEvidence(new Set(await readdir(folder)))
  } catch (cause) {
    // Without the folder there is no file either, which is what will be said.
    if (systemCode(cause) === 'ENOENT') return new Map()
    throw unreadableFile(folder, cause)
  }
}

/** The bytes of a bundle or signature. Throws `file_not_found`, `io_failed`, `limit_exceeded`. */
export function readEvidence(path: string): Promise<Uint8Array> {
  return readBoundedFile(path, maxDocumentBytes)
}
