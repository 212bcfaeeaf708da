/** Where a copy goes: a registry, a layout folder that is made if need be, or a new archive. */
import { access } from 'node:fs/promises'
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { ArchiveWriter } from '../layout/archive-writer.ts'
import type { RegistryRun } from '../open-repository.ts'
import type { Repository } from '../registry/repository.ts'

/** An open destination. An archive becomes a file with `finish`; the others are what they are at any time. */
export type Destination = {
  readonly repository: Repository
  readonly archive?: ArchiveWriter
  readonly finish: () => Promise<void>
  /** After a failure: removes what only a finished copy would leave. */
  readonly abandon: () => Promise<void>
}

/** Opens a destination. Throws `file_exists` for an archive that is there, unless `force` is set. */
export async function openDestination(run: RegistryRun, place: ImageReference['place'], force: boolean): Promise<Destination> {
  const nothing = async (): Promise<void> => undefined
  switch (place.kind) {
    case 'registry':
      return { repository: await run.open(place), finish: nothing, abandon: nothing }
    case 'layout': {
      const { createLayoutRepository } = await import('../layout/layout-repository.ts')
      return { repository: await createLayoutRepository(place.directory), finish: nothing, abandon: nothing }
    }
    case 'archive': {
      if (!force && (await exists(place.file))) {
        throw new CountersignError('file_exists', `${place.file} exists; an archive is written as a whole`, {
          hint: 'Name another file, or overwrite it with --force.',
        })
      }
      const { createArchive } = await import('../layout/archive-writer.ts')
      const archive = await createArchive(place.file)
      return { repository: archive.repository, archive, finish: () => archive.finish(), abandon: archive.abandon }
    }
    default:
      return unreachable(place)
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
