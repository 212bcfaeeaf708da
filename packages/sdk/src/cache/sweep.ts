/** Keeps the cache within its bounds: the repositories that were not used for longest go first. */
import { lstatSync, readdirSync } from 'node:fs'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { notThere, readPrivateFile, removeFile, replacePrivateFile, unfinishedPrefix } from './private-folder.ts'

/** When the files were last counted, and one line for each run that wrote since: bytes, and repositories written to. */
export const usageFile = 'usage'
/** Begins the name of the file of a repository. The number goes up when what is in it changes its form. */
export const packPrefix = 'v1-'

const maxUsageBytes = 64 * 1024
/** Counted anew at least this often, milliseconds: one day. */
const recountMs = 86_400_000
/** A file that was begun this long ago will not be finished, milliseconds: one hour. */
const abandonedMs = 3_600_000

type Entry = { readonly path: string; readonly bytes: number; readonly usedMs: number }

/** Adds up what was written; when that may be beyond a bound, counts the files and removes the oldest until a tenth is free. */
export function sweepWhenFull(folder: string, maxBytes: number, maxEntries: number, nowMs: number): void {
  const usage = readUsage(folder, nowMs)
  if (usage !== undefined && usage.bytes <= maxBytes && usage.entries <= maxEntries) return
  const entries = listEntries(folder, nowMs).toSorted((a, b) => a.usedMs - b.usedMs)
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
  let left = entries.length
  const full = bytes > maxBytes || left > maxEntries
  for (const entry of full ? entries : []) {
    if (bytes <= maxBytes * 0.9 && left <= maxEntries * 0.9) break
    removeFile(entry.path)
    bytes -= entry.bytes
    left--
  }
  replacePrivateFile(folder, usageFile, utf8(`counted ${nowMs}\n${bytes} ${left}\n`))
}

/** At least what there is; `undefined` when nobody has counted for long. */
function readUsage(folder: string, nowMs: number): { readonly bytes: number; readonly entries: number } | undefined {
  const document = readPrivateFile(`${folder}/${usageFile}`, maxUsageBytes, nowMs)
  if (document === undefined) return undefined
  const [head = '', ...lines] = textOf(document).split('\n')
  const countedMs = Number(/^counted ([0-9]{1,15})$/.exec(head)?.[1] ?? Number.NaN)
  if (!(Math.abs(nowMs - countedMs) <= recountMs)) return undefined
  let bytes = 0
  let entries = 0
  for (const line of lines) {
    const match = /^([0-9]{1,15}) ([0-9]{1,15})$/.exec(line)
    bytes += Number(match?.[1] ?? 0)
    entries += Number(match?.[2] ?? 0)
  }
  return { bytes, entries }
}

/** Nothing but digits and spaces is looked at. */
function textOf(document: Uint8Array): string {
  return fromUtf8(document.map((byte) => (byte < 0x80 ? byte : 0x3f)))
}

/** What stands here and was not put here is left alone. */
function listEntries(folder: string, nowMs: number): readonly Entry[] {
  const entries: Entry[] = []
  try {
    for (const name of readdirSync(folder)) {
      const path = `${folder}/${name}`
      const unfinished = name.startsWith(unfinishedPrefix)
      if (!unfinished && !name.startsWith(packPrefix)) continue
      const found = lstatSync(path, { throwIfNoEntry: false })
      if (found === undefined) continue
      if (unfinished && nowMs - found.mtimeMs > abandonedMs) removeFile(path)
      else entries.push({ path, bytes: found.size, usedMs: found.mtimeMs })
    }
  } catch (cause) {
    notThere(cause)
  }
  return entries
}
