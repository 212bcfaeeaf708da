/** The flags of the verifying verbs as a policy, and the same policy in words for the report. */
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { ContentDemand, Demand, SignerDemand, VerifyPolicy } from '@countersign/core/verify/policy'
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { Invocation } from '../command/invocation.ts'
import type { PolicyReport } from '../report/schema.ts'
import { type SelectedTrust, selectTrust } from '../trust/select.ts'
import { signerFromFlags, signerNames } from './signers.ts'

/** What one run verifies with. */
export type Demands = {
  readonly policy: VerifyPolicy
  readonly trustedRoot?: TrustedRoot
  readonly report: PolicyReport
}

/** What signatures are about. */
export type VerifiedThing = 'image' | 'file'

const notDemanded: Demand = { kind: 'not_demanded' }
const required: Demand = { kind: 'required' }

/** What is known otherwise than by flags: who must have signed, and a trusted root that was read before. */
export type GivenDemands = { readonly signer?: SignerDemand; readonly trust?: (keyed: boolean) => Promise<SelectedTrust | undefined> }

/** Builds the policy, loads its keys and chooses the trusted root. */
export async function demandsFromFlags(
  invocation: Invocation,
  content: ContentDemand,
  of: VerifiedThing,
  given: GivenDemands = {},
): Promise<Demands> {
  const { flags, terminal } = invocation
  const signer = given.signer ?? (await signerFromFlags(invocation))
  const keyed = signer.kind === 'keys'
  const trust = await (given.trust === undefined ? selectTrust(invocation, keyed) : given.trust(keyed))
  const waived = (flag: string): Demand => ({ kind: 'waived_UNSAFE', reason: `--${flag}` })
  const logWanted = !keyed || trust?.named === true || flags.boolean('require-tlog', false)
  const ignoreLog = flags.boolean('insecure-ignore-tlog', false)
  if (ignoreLog && flags.boolean('require-tlog', false)) {
    throw new CountersignError('usage', '--require-tlog and --insecure-ignore-tlog contradict each other', { hint: 'Give one of them.' })
  }
  if (keyed && logWanted && !ignoreLog && trust === undefined) {
    throw new CountersignError('trust_missing', '--require-tlog needs the key of the log', {
      hint: 'Name the trusted root that holds it: --trusted-root FILE.',
    })
  }
  if (ignoreLog)
    terminal.warn(
      `WARNING: Skipping tlog verification is an insecure practice that lacks transparency and auditability verification for the ${cosignWord(content, of)}.`,
    )
  const policy: VerifyPolicy = {
    signer,
    content,
    log: ignoreLog ? waived('insecure-ignore-tlog') : logWanted ? required : notDemanded,
    sct: keyed ? notDemanded : flags.boolean('insecure-ignore-sct', false) ? waived('insecure-ignore-sct') : required,
    signedTimestamp: flags.boolean('use-signed-timestamps', false) ? required : notDemanded,
    claims: flags.boolean('check-claims', true) ? required : waived('check-claims=false'),
  }
  return {
    policy,
    ...(trust === undefined ? {} : { trustedRoot: trust.root }),
    report: {
      signers: signerNames(signer),
      demands: {
        log: demandText(policy.log),
        sct: demandText(policy.sct),
        signedTimestamp: demandText(policy.signedTimestamp),
        claims: demandText(policy.claims),
      },
      ...(trust === undefined ? {} : { trust: trust.report }),
    },
  }
}

/** What is demanded, in a word. */
export function contentWord({ kind }: ContentDemand): 'signature' | 'attestation' {
  return kind === 'attestation' ? 'attestation' : 'signature'
}

function cosignWord(content: ContentDemand, of: VerifiedThing): string {
  if (of === 'image') return contentWord(content)
  return content.kind === 'attestation' ? 'blob attestation' : 'blob'
}

function demandText(demand: Demand): string {
  switch (demand.kind) {
    case 'required':
      return 'required'
    case 'not_demanded':
      return 'not demanded'
    case 'waived_UNSAFE':
      return `waived: ${demand.reason}`
    default:
      return unreachable(demand)
  }
}

/** `-a key=value` as annotations. Throws `usage` on anything without a name. */
export function annotationsFromFlags(list: readonly string[]): ReadonlyMap<string, string> {
  const annotations = new Map<string, string>()
  for (const item of list) {
    const equals = item.indexOf('=')
    if (equals <= 0)
      throw new CountersignError('usage', equals === 0 ? 'an annotation has no name' : 'an annotation has no value', {
        expected: 'key=value',
        found: JSON.stringify(item.slice(0, 80)),
      })
    annotations.set(item.slice(0, equals), item.slice(equals + 1))
  }
  return annotations
}
