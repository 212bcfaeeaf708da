/** Verifies an image as `verify` does, and listens. */
import type { Evidence } from '@countersign/core/verify/evidence'
import type { ContentDemand } from '@countersign/core/verify/policy'
import type { Discovery } from '@countersign/sdk/discover/found'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { type ImageRepositories, openImageRepositories } from '@countersign/sdk/sign/repositories'
import { createTraceLog } from '@countersign/sdk/trace'
import { judgeImageIn } from '@countersign/sdk/verify/by-policy'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { countsFor } from '@countersign/sdk/verify/outcome'
import type { FoundLayout, ImageVerification } from '@countersign/sdk/verify/requests'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags, signatureRepository, typedImage } from '../connection.ts'
import { namesNobody } from '../demands/accepting.ts'
import { judgingFromFlags } from '../demands/judging.ts'
import { contentWord, type Demands, demandsFromFlags } from '../demands/policy.ts'
import type { Explained, ExplainedLayout } from './explained.ts'

const layouts: readonly FoundLayout[] = [
  'bundle-referrer',
  'bundle-fallback-tag',
  'bundle-writer-tag',
  'legacy-tag',
  'legacy-referrer',
  'legacy-writer-tag',
]

const anybody = { kind: 'any_certified_signer_UNSAFE', reason: 'to say who signed' } as const

/** Verifies an image and keeps what was seen on the way. Throws only what stands before the first request. */
export async function explainImage(invocation: Invocation, subject: string, content: ContentDemand): Promise<Explained> {
  const { flags } = invocation
  const image = typedImage(flags, subject)
  const log = createTraceLog()
  const run = createRegistryRun({ ...connectionFromFlags(invocation), trace: log.trace })
  let discovery: Discovery | undefined
  const options = { observe: (found: Discovery): void => void (discovery = found) }
  try {
    const open = (): Promise<ImageRepositories> => openImageRepositories(run, { image, ...signatureRepository(flags) })
    const policy = flags.text('policy')
    const { nowMs } = invocation.terminal
    if (policy !== undefined) {
      const { request, report } = await judgingFromFlags(invocation, policy, 'image')
      const result = await judgeImageIn(await open(), { image, ...request }, options)
      return {
        ...explained(log, content, result, discovery),
        demands: report,
        ...(result.verdict === undefined ? {} : { verdict: result.verdict }),
        proven: [],
      }
    }
    const signer = namesNobody(flags) ? { signer: anybody } : {}
    const demands = await demandsFromFlags(invocation, content, 'image', signer)
    const request = { image, policy: demands.policy, ...trustOf(demands), nowMs }
    const repositories = await open()
    const result = await verifyImageIn(repositories, request, options)
    log.stop()
    const whoElse = result.rejected.some(({ refusal }) => refusal.code === 'identity_mismatch')
    const proven = whoElse ? await provenSigners(repositories, { ...request, policy: { ...demands.policy, signer: anybody } }) : []
    return { ...explained(log, content, result, discovery), demands: demands.report, proven }
  } finally {
    run.close()
  }
}

/** Who signed, of those whom nobody named: proven against the trusted root like the others, and good for advice alone. */
async function provenSigners(repositories: ImageRepositories, request: Parameters<typeof verifyImageIn>[1]): Promise<readonly Evidence[]> {
  return (await verifyImageIn(repositories, request)).accepted.map(({ evidence }) => evidence)
}

function trustOf({ trustedRoot }: Demands): Pick<Demands, 'trustedRoot'> {
  return trustedRoot === undefined ? {} : { trustedRoot }
}

function explained(
  log: ReturnType<typeof createTraceLog>,
  content: ContentDemand,
  result: ImageVerification,
  discovery: Discovery | undefined,
): Omit<Explained, 'demands' | 'proven'> {
  return {
    kind: 'image',
    content: contentWord(content),
    events: [...log.events],
    dropped: log.dropped(),
    ...(result.reference === undefined ? {} : { reference: result.reference }),
    ...(result.digest === undefined ? {} : { digest: result.digest }),
    ...(discovery === undefined ? {} : { layouts: layouts.map((layout) => held(layout, discovery)) }),
    signatures: [
      ...result.accepted.map(({ origin, evidence }) => ({ name: origin.blob, origin, result: { evidence } })),
      ...result.rejected.map(({ origin, refusal }) => ({ name: origin.blob, origin, result: { refusal } })),
    ],
    unreadable: result.unreadable,
    ...(result.failure === undefined ? {} : { failure: result.failure }),
  }
}

function held(layout: FoundLayout, { found }: Discovery): ExplainedLayout {
  const here = found.filter((one) => one.origin.layouts.includes(layout))
  const whole = here.filter((one) => one.parsed.ok)
  const signatures = whole.filter((one) => countsFor(one, { kind: 'signature' })).length
  return { layout, signatures, attestations: whole.length - signatures, broken: here.length - whole.length }
}
