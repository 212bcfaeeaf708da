/** Makes tar files of layouts for tests. */
import { createWriteStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pack } from 'tar-stream'

/** One entry of a tar file. */
export type TarEntry = Parameters<ReturnType<typeof pack>['entry']>[0] & { readonly content?: string | Uint8Array }

/** Writes a tar file of these entries. */
async function writeTar(file: string, entries: readonly TarEntry[]): Promise<void> {
  const tar = pack()
  const written = pipeline(tar, createWriteStream(file))
  for (const { content, ...header } of entries) tar.entry(header, Buffer.from(content ?? ''))
  tar.finalize()
  await written
}

/** Writes a tar file of every file below a folder, its names after `prefix`, and of `more`. */
export async function writeTarOf(folder: string, file: string, more: readonly TarEntry[] = [], prefix = ''): Promise<void> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const entries = names.map(async (entry) => {
    const path = join(entry.parentPath, entry.name)
    return { name: prefix + path.slice(folder.length + 1), content: await readFile(path) }
  })
  await writeTar(file, [...(await Promise.all(entries)), ...more])
}
