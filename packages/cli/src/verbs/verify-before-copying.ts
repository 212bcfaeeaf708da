/** `--verify` of `copy`, `save` and `load`: the image is verified where it is, by its digest, before anything is written. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { formatReference, type ImageReference } from '@countersign/core/oci/reference'
import type { ImageRepositories } from '@countersign/sdk/sign/repositories'
import { judgeImageIn } from '@countersign/sdk/verify/by-policy'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import { judgingFromFlags } from '../demands/judging.ts'
import type { SubjectReport } from '../report/schema.ts'

/** What is verified, and as what. */
export type CopyToVerify = {
  readonly source: ImageReference
  readonly destination: ImageReference
  readonly digest: Digest
  readonly verifyFlags?: FlagValues
  readonly judgedAs?: ImageReference
}

const impliesVerify = [
  'policy',
  'key',
  'certificate-identity',
  'certificate-identity-regexp',
  'certificate-oidc-issuer',
  'certificate-oidc-issuer-regexp',
]

/** Verifies as `verify` does, where that is asked for; its refusal is that of the copy. */
export async function verifyBeforeCopying(
  invocation: Invocation,
  repositories: ImageRepositories,
  copy: CopyToVerify,
): Promise<SubjectReport | undefined> {
  const flags = copy.verifyFlags ?? invocation.flags
  if (!flags.boolean('verify', false) && !impliesVerify.some((name) => flags.source(name) === 'flag')) return undefined
  const terminal = { ...invocation.terminal, out: (): void => undefined, outIsTerminal: false }
  const quiet: Invocation = { ...invocation, flags: verifyingFlags(flags), terminal, reportOnStdout: false }
  const policy = flags.text('policy')
  const report = policy === undefined ? await verifyPlainly(quiet, copy) : await judge(quiet, repositories, copy, policy)
  if (report?.failure === undefined) return report
  const { code, expected, found, hint } = report.failure
  throw new CountersignError(code, 'the image did not verify, and nothing was written', {
    hint,
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
  })
}

async function verifyPlainly(invocation: Invocation, { source, digest }: CopyToVerify): Promise<SubjectReport | undefined> {
  const { verifyImages } = await import('./verify.ts')
  const { subjects } = await verifyImages({ ...invocation, subjects: [formatReference({ place: source.place, digest })] })
  return subjects[0]
}

/** A policy speaks of names in registries: an image in files is judged under the name that it is to have. */
async function judge(
  invocation: Invocation,
  repositories: ImageRepositories,
  { source, destination, digest, judgedAs }: CopyToVerify,
  path: string,
): Promise<SubjectReport> {
  const { request } = await judgingFromFlags(invocation, path, 'image')
  const named = judgedAs ?? (source.place.kind === 'registry' ? source : destination)
  const image: ImageReference = { place: named.place, digest, ...(named.tag === undefined ? {} : { tag: named.tag }) }
  const { concludeVerdict } = await import('./verdict-output.ts')
  return concludeVerdict(invocation, formatReference(image), await judgeImageIn(repositories, { image, ...request }))
}

/** What means something else to `verify`: where the archive goes, and which platforms are copied; the image is named by digest. */
const ownFlags: ReadonlySet<string> = new Set(['output', 'platform'])

function verifyingFlags(flags: FlagValues): FlagValues {
  return {
    ...flags,
    text: (name) => (name === 'output' ? 'json' : ownFlags.has(name) ? undefined : flags.text(name)),
    list: (name) => (ownFlags.has(name) ? [] : flags.list(name)),
    source: (name) => (ownFlags.has(name) ? undefined : flags.source(name)),
  }
}
