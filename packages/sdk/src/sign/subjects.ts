/** Which manifests are meant: a tag becomes a digest, an index becomes all that it lists. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import { gate } from '../discover/bounded.ts'
import { parseStoredManifest } from '../discover/entity.ts'
import type { RepositoryReader } from '../registry/repository.ts'

const maxSubjects = 1_000
const maxDepth = 4

/** Writes a reference for messages: `registry/repo:tag@sha256:…`. */
export function describeReference(name: string, image: Pick<ImageReference, 'tag' | 'digest'>): string {
  return `${name}${image.tag === undefined ? '' : `:${image.tag}`}${image.digest === undefined ? '' : `@${image.digest}`}`
}

/** Resolves an image; a digest wins over a tag. Throws `artifact_not_found`, for a digest that does not exist too. */
export async function resolveSubject(repository: RepositoryReader, image: Pick<ImageReference, 'tag' | 'digest'>): Promise<Descriptor> {
  const subject = await findSubject(repository, image)
  if (subject !== undefined) return subject
  throw new CountersignError('artifact_not_found', `${describeReference(repository.name, image)} does not exist`, {
    hint: 'Check the name, and that you may read the repository.',
  })
}

/** A layout may be named without tag and digest when it holds one image. */
async function findSubject(repository: RepositoryReader, image: Pick<ImageReference, 'tag' | 'digest'>): Promise<Descriptor | undefined> {
  if (image.digest !== undefined) return repository.resolve({ digest: image.digest })
  if (image.tag !== undefined) return repository.resolve({ tag: image.tag })
  const sole = repository.soleImage === undefined ? undefined : await repository.soleImage()
  return repository.resolve(sole === undefined ? { tag: 'latest' } : { digest: sole.digest })
}

/**
 * The subject itself, and with an index every manifest that it lists, nested indexes included, each once.
 * At most 1,000 manifests, 4 levels deep: beyond that `limit_exceeded`. A listed manifest that does not exist is `artifact_not_found`.
 */
export async function expandSubject(repository: RepositoryReader, subject: Descriptor): Promise<readonly Descriptor[]> {
  const all = new Map<Digest, Descriptor>()
  const through = gate(8)
  const visit = async (one: Descriptor, depth: number): Promise<void> => {
    if (all.has(one.digest)) return
    if (depth > maxDepth || all.size >= maxSubjects) {
      throw new CountersignError(
        'limit_exceeded',
        `the index ${subject.digest} lists more than ${maxSubjects} manifests or ${maxDepth} levels`,
      )
    }
    all.set(one.digest, one)
    const children = await through(() => childrenOf(repository, one))
    await Promise.all(children.map((child) => visit(child, depth + 1)))
  }
  await visit(subject, 0)
  return [...all.values()]
}

async function childrenOf(repository: RepositoryReader, subject: Descriptor): Promise<readonly Descriptor[]> {
  const stored = await repository.manifest({ digest: subject.digest })
  if (stored === undefined) {
    throw new CountersignError('artifact_not_found', `${repository.name}@${subject.digest} is listed by the index, but does not exist`)
  }
  const manifest = parseStoredManifest(stored)
  return manifest?.kind === 'index' ? manifest.manifests : []
}
