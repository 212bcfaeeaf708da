/** A fallback index read for its repair: what is sound in it is taken, and what is not is said. */
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace, openMembers, optionalItems, readObject } from '@countersign/core/json/shape'
import { readDescriptor } from '@countersign/core/oci/manifest'
import type { Descriptor } from '@countersign/core/oci/model'
import { parseStoredManifest } from '../discover/entity.ts'
import type { StoredManifest } from '../registry/repository.ts'

/** The entries that can be read, duplicates included, and what is wrong with the document as a whole. */
export type IndexReading = { readonly entries: readonly Descriptor[]; readonly problem?: string }

const maxEntries = 50_000

/** Reads what is under a fallback tag. Never throws for what it holds. */
export function readIndexDocument(stored: StoredManifest): IndexReading {
  try {
    const document = parseStoredManifest(stored)
    if (document?.kind === 'index') return { entries: document.manifests }
    const problem =
      document === undefined ? `it is a ${stored.mediaType.slice(0, 120)}` : 'it is an image, as "cosign copy" leaves it there'
    return { entries: [], problem }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return { entries: salvaged(stored.bytes), problem: cause.message.slice(0, 300) }
  }
}

/** The descriptors of a broken index that are well-formed by themselves. */
function salvaged(bytes: Uint8Array): readonly Descriptor[] {
  try {
    const { value } = parseJsonAs('manifest_malformed', 'the index', bytes)
    const manifests = openMembers(documentPlace(value, 'manifest_malformed'))('manifests')
    return optionalItems(manifests, maxEntries).flatMap((at) => {
      try {
        readObject(at)
        return [readDescriptor(at)]
      } catch (cause) {
        if (cause instanceof CountersignError) return []
        throw cause
      }
    })
  } catch (cause) {
    if (cause instanceof CountersignError) return []
    throw cause
  }
}

/** Whether two descriptors say the same; the order of annotations does not matter. */
export function sameDescriptor(a: Descriptor, b: Descriptor): boolean {
  return textOf(a) === textOf(b)
}

function textOf({ mediaType, digest, size, artifactType, annotations }: Descriptor): string {
  const notes = Object.entries(annotations ?? {}).toSorted(([x], [y]) => (x < y ? -1 : 1))
  return JSON.stringify([mediaType, digest, size, artifactType ?? '', notes])
}
