/** `countersign save`. */
import { basename } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { formatReference, parseReference } from '@countersign/core/oci/reference'
import { finishArchive, type TrustFile, type TrustRole } from '@countersign/sdk/transport/archive'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { readInput } from '../terminal/input.ts'
import { carryImage, savedPlace } from './carry-image.ts'

const maxTrustBytes = 4 * 1024 * 1024

/** Copies an image into a folder or an archive. */
export async function save(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const [subject = ''] = subjects
  const source = parseReference(subject)
  const destination = savedPlace(flags, 'output')
  const trust = await trustFiles(flags)
  if (trust.length > 0 && destination.place.kind !== 'archive') {
    throw new CountersignError('usage', 'only an archive holds trust', {
      hint: 'Give --output FILE in place of --dir, or carry the files beside the folder.',
    })
  }
  return carryImage(invocation, {
    subject,
    source,
    destination,
    finish: async ({ archive, finish }, { subject: image }) => {
      if (archive === undefined) {
        await finish()
        return { lines: [], content: {} }
      }
      const fingerprint = await finishArchive(archive, [{ name: formatReference(source), digest: image.digest }], trust)
      const lines = trust.map(({ role, name }) => `  ${role}: ${name}`)
      return { lines: [...lines, `Fingerprint ${fingerprint}`], content: { fingerprint } }
    },
  })
}

async function trustFiles(flags: FlagValues): Promise<readonly TrustFile[]> {
  const wanted: readonly (readonly [TrustRole, readonly string[]])[] = [
    ['trusted-root', flags.list('with-trusted-root').slice(-1)],
    ['policy', flags.list('with-policy').slice(-1)],
    ['revocations', flags.list('with-revocations')],
    ['public-key', flags.list('with-key')],
  ]
  return Promise.all(
    wanted.flatMap(([role, paths]) =>
      paths.map(async (path) => ({ role, name: basename(path), bytes: await readInput(path, maxTrustBytes) })),
    ),
  )
}
