/**
 * What a machine remembers of revocation lists, so that an older one is noticed: the newest version that it has accepted, by list and signer.
 *
 * A folder with a file for each version of each list, named by what it holds. Writing one never touches another, so that runs at the same time
 * cannot lose each other's; reading takes the greatest version; older ones are then removed. A crash leaves the old version or the new one.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { keyFingerprint } from '@countersign/core/keys/public-key'
import type { CompiledRevocationSource } from '@countersign/core/policy/compile'
import { parseRevocationList, revocationListJson, type RevocationList } from '@countersign/core/policy/revocation-list'
import type { SeenRevocations } from '@countersign/core/policy/revocations'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { systemCode, unreadableFile } from '../file-failure.ts'
import { writeDurably } from '../durable-file.ts'

/** A memory of lists. */
export type RevocationMemory = {
  /** What is remembered of a list by any of its signers; `undefined` when nothing is. Throws `revocation_state_damaged`, `io_failed`. */
  readonly seen: (source: CompiledRevocationSource) => Promise<SeenRevocations | undefined>
  /** Remembers a list that was accepted. Returns once it is durable. Throws `io_failed`. */
  readonly remember: (source: CompiledRevocationSource, list: RevocationList) => Promise<void>
}

type Entry = { readonly file: string; readonly version: number; readonly hash: string }

const namePattern = /^([0-9a-f]{32})-([0-9]{16})-([0-9a-f]{64})\.json$/
const attempts = 50

/** Opens the memory in a folder, which need not exist yet. */
export function openRevocationMemory(folder: string): RevocationMemory {
  return {
    seen: async (source) => {
      // Another run may remove what it has replaced between listing and reading: then there is something newer.
      for (let attempt = 1; ; attempt++) {
        const seen = await readNewest(folder, await idsOf(source), source.name)
        if (seen !== 'replaced') return seen
        if (attempt === attempts) throw damaged(folder, 'it changes faster than it can be read')
      }
    },
    remember: async (source, list) => {
      // What the list says, not how it was written and by whom it was signed: else a list handed over in ever new forms would fill the disk.
      const content = utf8(JSON.stringify(revocationListJson(list)))
      const hash = sha256(content)
      for (const id of await idsOf(source)) {
        const known = await entriesOf(folder, id)
        const name = `${id}-${String(list.version).padStart(16, '0')}-${hash}.json`
        if (!known.some(({ file }) => file === name)) await writeDurably(join(folder, name), content)
        for (const { file, version } of known) if (version < list.version) await rm(join(folder, file), { force: true })
      }
      await removeLeftovers(folder)
    },
  }
}

/** By each key that may sign it: when one is replaced, the others still remember. Another list of that name by others is another list. */
async function idsOf({ name, keys }: CompiledRevocationSource): Promise<readonly string[]> {
  const fingerprints = await Promise.all(keys.map(({ key }) => keyFingerprint(key, nodePrimitives)))
  return fingerprints.map((fingerprint) => sha256(utf8(`${name}\0${fingerprint}`)).slice(0, 32))
}

async function entriesOf(folder: string, id: string): Promise<readonly Entry[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return []
    throw unreadableFile(folder, cause)
  })
  return names.flatMap((file) => {
    const [, found, version = '', hash = ''] = namePattern.exec(file) ?? []
    return found === id ? [{ file, version: Number(version), hash }] : []
  })
}

const leftoverMs = 3_600_000

/** What runs that were killed had begun to write. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.tmp'))
  for (const name of names) {
    const path = join(folder, name)
    const found = await stat(path).catch((cause: unknown) => {
      if (systemCode(cause) === 'ENOENT') return undefined
      throw unreadableFile(path, cause)
    })
    if (found !== undefined && Date.now() - found.mtimeMs > leftoverMs) await rm(path, { force: true })
  }
}

/** All that is revoked by the newest version; of two that claim the same version, by both. */
async function readNewest(folder: string, ids: readonly string[], name: string): Promise<SeenRevocations | 'replaced' | undefined> {
  const all = (await Promise.all(ids.map((id) => entriesOf(folder, id)))).flat()
  const version = Math.max(...all.map((entry) => entry.version))
  const newest = new Map(all.filter((entry) => entry.version === version).map((entry) => [entry.hash, entry]))
  const lists: RevocationList[] = []
  for (const entry of newest.values()) {
    const list = await readEntry(folder, entry, name)
    if (list === undefined) return 'replaced'
    lists.push(list)
  }
  return lists.length === 0 ? undefined : { version, entries: lists.flatMap(({ entries }) => entries) }
}

async function readEntry(folder: string, { file, version, hash }: Entry, name: string): Promise<RevocationList | undefined> {
  const path = join(folder, file)
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined
    throw unreadableFile(path, cause)
  }
  if (sha256(bytes) !== hash) throw damaged(path, 'it is not what was written')
  try {
    const list = parseRevocationList(bytes)
    if (list.version === version && list.name === name) return list
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw damaged(path, cause.message, cause)
  }
  throw damaged(path, 'it holds another list than its name says')
}

function damaged(path: string, detail: string, cause?: unknown): CountersignError {
  return new CountersignError('revocation_state_damaged', `${path}, which remembers a revocation list, is damaged: ${detail}`, { cause })
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
