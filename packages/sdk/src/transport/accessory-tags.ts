/** The tags of a repository that hold signatures, read once for all subjects: `sha256-<hex>` with whatever follows. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag } from '@countersign/core/oci/layouts'
import { parseWriterTag, type WriterTag } from '../discover/writer-tag.ts'
import type { RepositoryReader } from '../registry/repository.ts'
import { inventoryLimits } from './inventory.ts'

/** Tags of signatures, by the subject that they name. */
export type AccessoryTags = {
  readonly has: (subject: Digest, tag: string) => boolean
  readonly writers: (subject: Digest) => readonly WriterTag[]
}

const accessoryTag = /^((?:sha256|sha384|sha512)-[0-9a-f]{64})/

/** Lists them. Throws what listing throws, and `limit_exceeded` beyond 200,000 of them. */
export async function listAccessoryTags(repository: RepositoryReader): Promise<AccessoryTags> {
  const found = new Map<string, string[]>()
  let count = 0
  for await (const tag of repository.tags()) {
    const subject = accessoryTag.exec(tag)?.[1]
    if (subject === undefined) continue
    if (++count > inventoryLimits.accessoryTags) {
      throw new CountersignError(
        'limit_exceeded',
        `${repository.name} has more than ${inventoryLimits.accessoryTags} tags that hold signatures`,
      )
    }
    const tags = found.get(subject) ?? []
    tags.push(tag)
    found.set(subject, tags)
  }
  const of = (subject: Digest): readonly string[] => found.get(fallbackTag(subject)) ?? []
  return {
    has: (subject, tag) => of(subject).includes(tag),
    writers: (subject) => of(subject).flatMap((tag) => parseWriterTag(subject, tag) ?? []),
  }
}
