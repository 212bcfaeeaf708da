/** Names of the files below a folder, by their beginning. */
import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../data-folder/durable-file.ts'
import { isSegment } from './blob-name.ts'

/** Walks the folders that the prefix can lie in. What is no regular file with a name of a blob (links, leftovers of others) is passed over. */
export async function* listFiles(root: string, prefix: string, failed: (thrown: unknown) => Error): AsyncGenerator<string> {
  const slash = prefix.lastIndexOf('/')
  const folder = slash === -1 ? '' : prefix.slice(0, slash)
  yield* walk(root, folder, prefix, failed)
}

async function* walk(root: string, folder: string, prefix: string, failed: (thrown: unknown) => Error): AsyncGenerator<string> {
  for (const entry of await entriesOf(join(root, folder), failed)) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (!isSegment(entry.name) || !/^[A-Za-z0-9._-]+$/.test(entry.name)) continue
    if (entry.isDirectory() && (name.startsWith(prefix) || prefix.startsWith(`${name}/`))) yield* walk(root, name, prefix, failed)
    else if (entry.isFile() && name.startsWith(prefix)) yield name
  }
}

/** A folder at a time in memory: an open one would be held for as long as the reader likes. */
async function entriesOf(path: string, failed: (thrown: unknown) => Error): Promise<readonly Dirent[]> {
  const entries: Dirent[] = []
  try {
    for await (const entry of await opendir(path)) entries.push(entry)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'ENOTDIR') return []
    throw failed(thrown)
  }
  return entries
}
