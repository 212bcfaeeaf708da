/** `countersign tree`. */
import { formatPlace, parseReference } from '@countersign/core/oci/reference'
import { legacyTag } from '@countersign/core/oci/layouts'
import { discoverSignatures } from '@countersign/sdk/discover/discover'
import type { Digest } from '@countersign/core/digest'
import type { FoundEntity } from '@countersign/sdk/discover/found'
import type { RepositoryReader } from '@countersign/sdk/registry/repository'
import type { Invocation } from '../command/invocation.ts'
import { failureLine, failureText, printable } from '../failure/message.ts'
import { type Claim, claimOf } from '../images/claim.ts'
import { resolvePlatform } from '../images/resolve.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { asFailure } from '../failure/message.ts'
import { inRepositories } from './download.ts'

type Entry = {
  readonly kind: Claim['kind'] | 'sbom' | 'artifact'
  readonly type: string
  readonly layouts: readonly string[]
  readonly manifest: Digest
  readonly blob?: Digest
}

/** Shows everything that refers to an image, of every layout. What cannot be read is said, and exits as "could not tell". */
export async function tree(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  const [subject = ''] = subjects
  const reference = parseReference(subject)
  return inRepositories(invocation, async (images, signatures) => {
    const image = await resolvePlatform(images, reference, undefined)
    const discovery = await discoverSignatures(signatures, image)
    const found = discovery.found.map(entryOf)
    const others = await otherArtifacts(signatures, image.digest, found)
    const entries = [...found, ...others.entries]
    const failures = [...discovery.unreadable, ...others.failures]
    terminal.out(`${formatPlace(reference.place)}@${image.digest}\n`)
    for (const [at, entry] of entries.entries()) terminal.out(entryText(entry, at === entries.length - 1 && failures.length === 0))
    for (const failure of failures) terminal.out(`└── not readable: ${failureLine(failureText(failure))}\n`)
    if (entries.length === 0 && failures.length === 0) terminal.out('└── nothing refers to it\n')
    const unreadable = failures.map((failure) => failureReport(failureText(failure)))
    const [failure] = unreadable
    return {
      subjects: [
        {
          subject,
          ok: failure === undefined,
          digest: image.digest,
          content: entries,
          unreadable,
          ...(failure === undefined ? {} : { failure }),
        },
      ],
    }
  })
}

function entryOf(found: FoundEntity): Entry {
  const claim = claimOf(found)
  const type = claim.kind === 'unreadable' ? claim.detail : (claim.predicateType ?? found.mediaType)
  return { kind: claim.kind, type, layouts: found.origin.layouts, manifest: found.origin.manifest, blob: found.origin.blob }
}

/** What refers to the image and is no signature: attached SBOMs, and referrers of any other type. */
async function otherArtifacts(
  repository: RepositoryReader,
  digest: Digest,
  known: readonly Entry[],
): Promise<{ readonly entries: readonly Entry[]; readonly failures: readonly ReturnType<typeof asFailure>[] }> {
  const entries: Entry[] = []
  const failures: ReturnType<typeof asFailure>[] = []
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (thrown) {
      failures.push(asFailure(thrown))
    }
  }
  await attempt(async () => {
    const sbom = await repository.resolve({ tag: legacyTag(digest, 'sbom') })
    if (sbom !== undefined) entries.push({ kind: 'sbom', type: sbom.mediaType, layouts: ['legacy-tag'], manifest: sbom.digest })
  })
  await attempt(async () => {
    const answer = await repository.referrers(digest)
    if (answer.kind !== 'listed') return
    const seen = new Set(known.map((entry) => entry.manifest))
    for (const { digest: manifest, artifactType, mediaType } of answer.manifests) {
      if (!seen.has(manifest)) entries.push({ kind: 'artifact', type: artifactType ?? mediaType, layouts: ['referrer'], manifest })
    }
  })
  return { entries, failures }
}

function entryText(entry: Entry, last: boolean): string {
  const stem = last ? '    ' : '│   '
  const head = `${last ? '└──' : '├──'} ${entry.kind} ${printable(entry.type)}\n${stem}└── ${entry.layouts.join(', ')}: ${entry.manifest}\n`
  return entry.blob === undefined ? head : `${head}${stem}    └── ${entry.blob}\n`
}
