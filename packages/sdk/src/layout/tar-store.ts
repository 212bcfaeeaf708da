/** An image layout in a tar file: one pass notes where each entry lies, nothing is unpacked. */
import { createReadStream } from 'node:fs'
import { joinBytes } from '@countersign/core/bytes'
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { openRegular } from './folder-store.ts'
import { layoutLimits, type LayoutBlob, type LayoutStore } from './layout-store.ts'

/** Where the content of an entry lies in the file. */
type Extent = { readonly offset: number; readonly size: number }

/** An archive: the layout in it, and the small files that may stand beside the layout (`isBeside`). */
export type TarStore = LayoutStore & {
  /** A file beside the layout, at most 4 MiB; `undefined` when it is not there. */
  readonly beside: (path: string) => Promise<Uint8Array | undefined>
}

/** The file that says what an archive of ours holds. */
export const archiveContentPath = 'countersign-archive.json'
/** The folder of an archive for trust that travels with images. */
export const archiveTrustFolder = 'trust/'

/** Opens an archive. Throws `file_not_found`, `layout_malformed`, `layout_escape`, `limit_exceeded`. */
export async function openTarStore(file: string): Promise<TarStore> {
  const name = `oci-archive:${file}`
  const extents = await indexEntries(file, name)
  const contentOf = (extent: Extent): AsyncIterable<Uint8Array> => readExtent(file, extent)
  const small = async (path: string): Promise<Uint8Array> => {
    const extent = extents.get(path)
    if (extent === undefined) throw new CountersignError('layout_malformed', `${name} is no image layout: ${path} is missing`)
    if (extent.size > layoutLimits.manifest) throw new CountersignError('limit_exceeded', `${name}: ${path} is too large`)
    const parts: Uint8Array[] = []
    for await (const part of contentOf(extent)) parts.push(part)
    return joinBytes(parts)
  }
  const { value } = parseJsonAs('layout_malformed', `${name}: oci-layout`, await small('oci-layout'))
  if (typeof value !== 'object' || value === null || !('imageLayoutVersion' in value) || value.imageLayoutVersion !== '1.0.0') {
    throw new CountersignError('layout_malformed', `${name} is no image layout of a known version`, {
      expected: 'imageLayoutVersion 1.0.0',
    })
  }
  return {
    name,
    index: () => small('index.json'),
    blob: async (digest): Promise<LayoutBlob | undefined> => {
      const extent = extents.get(pathOf(digest))
      return extent === undefined ? undefined : { size: extent.size, content: () => contentOf(extent) }
    },
    blobs: () => listBlobs(extents),
    beside: async (path) => (isBeside(path) && extents.has(path) ? small(path) : undefined),
    version: async () => '',
  }
}

function pathOf(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`
}

async function* listBlobs(extents: ReadonlyMap<string, Extent>): AsyncIterable<{ readonly digest: Digest; readonly size: number }> {
  for (const [path, { size }] of extents) {
    const match = /^blobs\/(sha[0-9]+)\/([0-9a-f]+)$/.exec(path)
    const digest = match === null ? undefined : parseDigest(`${match[1]}:${match[2]}`)
    if (digest !== undefined) yield { digest, size }
  }
}

async function* readExtent(file: string, { offset, size }: Extent): AsyncIterable<Uint8Array> {
  if (size === 0) return
  yield* createReadStream(file, { start: offset, end: offset + size - 1, highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>
}

async function indexEntries(file: string, name: string): Promise<ReadonlyMap<string, Extent>> {
  await checkFile(file, name)
  const { extract } = await import('tar-stream')
  const reader = extract()
  const source = createReadStream(file, { highWaterMark: 1024 * 1024 })
  source.on('error', (error) => reader.destroy(error))
  source.pipe(reader)
  const extents = new Map<string, Extent>()
  let count = 0
  try {
    for await (const entry of reader) {
      if (++count > layoutLimits.archiveEntries)
        throw new CountersignError('limit_exceeded', `${name} has more than ${layoutLimits.archiveEntries} entries`)
      note(extents, entry.header, name)
      entry.resume()
    }
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    throw new CountersignError('layout_malformed', `${name} is no tar file`, {
      cause,
      hint: 'Decompress it first if it is compressed, or fetch it again: it may be cut off.',
    })
  } finally {
    source.destroy()
  }
  return extents
}

function isBeside(path: string): boolean {
  return path === archiveContentPath || path.startsWith(archiveTrustFolder)
}

/** What tar-stream tells of an entry. */
type TarHeader = { readonly name: string; readonly type?: string | null; readonly size?: number; readonly byteOffset?: number }

/** Hostile: names that climb, links in place of content, one name twice so that two readers see two images. */
function note(extents: Map<string, Extent>, header: TarHeader, name: string): void {
  const path = header.name.replace(/^(?:\.\/)+/, '')
  const inLayout = path === 'index.json' || path === 'oci-layout' || path.startsWith('blobs/') || isBeside(path)
  if (path.startsWith('/') || path.split('/').includes('..')) throw escape(name, path)
  if (!inLayout || header.type === 'directory') return
  if (header.type !== 'file' && header.type !== 'contiguous-file') throw escape(name, path)
  const { byteOffset: offset, size } = header
  if (offset === undefined || size === undefined || !Number.isSafeInteger(size) || size < 0) {
    throw new CountersignError('layout_malformed', `${name}: an entry has no size`)
  }
  if (extents.has(path))
    throw new CountersignError('layout_malformed', `${name} has two entries of one name`, { found: path.slice(0, 120) })
  extents.set(path, { offset, size })
}

async function checkFile(file: string, name: string): Promise<void> {
  const found = await openRegular(file, name)
  if (found === undefined) throw new CountersignError('file_not_found', `${name} does not exist`)
  await found.file.close()
}

function escape(name: string, path: string): CountersignError {
  return new CountersignError(
    'layout_escape',
    `${name}: the entry ${path.slice(0, 120).replace(/[^\x20-\x7e]/g, '?')} leads out of the archive`,
  )
}
