/** What each item of a run is judged by: what its file says of it, and the flags for the rest. Each key, policy and trusted root is read once. */
import { CountersignError } from '@countersign/core/failure'
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { ContentDemand, SignerDemand } from '@countersign/core/verify/policy'
import { acceptsAnybody } from '@countersign/sdk/batch/identity'
import type { Judge } from '@countersign/sdk/batch/judge'
import type { ItemDemands } from '@countersign/sdk/batch/model'
import { once } from '@countersign/sdk/batch/once'
import type { Anchored } from '@countersign/sdk/verify/anchored'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import { judgingFromFlags } from '../demands/judging.ts'
import { demandsFromFlags, type VerifiedThing } from '../demands/policy.ts'
import { identitySigner, signerNames } from '../demands/signers.ts'
import type { PolicyReport } from '../report/schema.ts'
import { type SelectedTrust, selectTrust } from '../trust/select.ts'

/** A judge, and the same in words. */
type KnownJudge = { readonly judge: Judge; readonly report: PolicyReport }

/** What is verified: images or files, signatures or attestations. */
export type BatchSubject = { readonly content: ContentDemand; readonly of: VerifiedThing }

/** Finds the judge of an item; the same demands have the same one. Fails as the readers of flags do, and with `usage` for identities that accept everybody. */
export type Judges = (demands: ItemDemands, kind: 'container' | 'file') => Promise<KnownJudge>

const identityFlags = ['identity', 'identity-regexp', 'oidc-issuer', 'oidc-issuer-regexp'].map((name) => `certificate-${name}`)

/** The judges of a run. */
export function createJudges(invocation: Invocation, subject: BatchSubject): Judges {
  const memory = once()
  const trusts = once()
  const trustOf = (derived: Invocation, keyed: boolean): Promise<SelectedTrust | undefined> =>
    trusts(JSON.stringify([derived.flags.text('trusted-root') ?? '', keyed]), () => selectTrust(derived, keyed))
  return (demands, kind) => {
    const derived = withDemands(invocation, demands)
    const policy = derived.flags.text('policy')
    const id = JSON.stringify([policy === undefined ? '' : kind, demands])
    return memory(id, async () => {
      if (policy !== undefined && demands.identity !== undefined)
        throw new CountersignError('usage', 'a policy and an identity contradict each other', { hint: 'Say it in the policy.' })
      // Hostile: a policy that came with a checkout in the place of the keys that an entry names.
      if (policy !== undefined && derived.flags.source('policy') === 'profile' && derived.flags.source('key') === 'flag')
        throw new CountersignError('usage', 'a profile names a policy, and the entry names keys beside it', {
          hint: 'Name the policy in the entry or with --policy FILE, or give --profile none to do without it.',
        })
      if (policy !== undefined) return judgeByPolicy(derived, id, policy, kind)
      return judgeByDemands(derived, id, demands, subject, (keyed) => trustOf(derived, keyed))
    })
  }
}

async function judgeByPolicy(derived: Invocation, id: string, path: string, kind: 'container' | 'file'): Promise<KnownJudge> {
  const { request, report } = await judgingFromFlags(derived, path, kind === 'container' ? 'image' : 'file')
  const { policy, revocations, trustedRoot } = request
  return { judge: { kind: 'policy', id, policy, revocations: revocations ?? new Map(), ...(await anchored(trustedRoot)) }, report }
}

async function judgeByDemands(
  derived: Invocation,
  id: string,
  { identity }: ItemDemands,
  { content, of }: BatchSubject,
  trust: (keyed: boolean) => Promise<SelectedTrust | undefined>,
): Promise<KnownJudge> {
  const signer = identity === undefined ? {} : { signer: identitySigner(identity, derived.flags) }
  if (signer.signer !== undefined) await demandSomebody(derived, signer.signer)
  const { policy, trustedRoot, report } = await demandsFromFlags(derived, content, of, { ...signer, trust })
  if (signer.signer === undefined) await demandSomebody(derived, policy.signer)
  return { judge: { kind: 'demands', id, policy, ...(await anchored(trustedRoot)) }, report }
}

/** With a trusted root there are certificates, and many artifacts of one build share them. */
async function anchored(trustedRoot: TrustedRoot | undefined): Promise<Anchored> {
  if (trustedRoot === undefined) return {}
  const { createCertificateCache } = await import('@countersign/core/verify/certificate-cache')
  return { trustedRoot, certificateCache: createCertificateCache() }
}

async function demandSomebody({ flags, terminal }: Invocation, signer: SignerDemand): Promise<void> {
  if (!(await acceptsAnybody(signer))) return
  if (!flags.boolean('insecure-any-identity', false)) {
    throw new CountersignError('usage', 'an identity accepts everybody: it proves nothing about who signed', {
      found: signerNames(signer).join(', ').slice(0, 300),
      hint: 'Name who must have signed. To do without, give --insecure-any-identity.',
    })
  }
  terminal.warn('WARNING: --insecure-any-identity: signatures of everybody who has a certificate are accepted.')
}

/** The flags, with what an item says itself in front of them. A policy takes the item's keys as the keys that it names. */
function withDemands(invocation: Invocation, demands: ItemDemands): Invocation {
  const { policy, trustRoot, publicKeys, identity } = demands
  const over = new Map<string, readonly string[]>()
  if (policy !== undefined) over.set('policy', [policy])
  if (trustRoot !== undefined) over.set('trusted-root', [trustRoot])
  if (publicKeys !== undefined) over.set('key', publicKeys)
  // Who signed is one demand: an item that names keys takes the place of an identity of the flags, and the other way round.
  if (publicKeys !== undefined || identity !== undefined) for (const name of identityFlags) over.set(name, [])
  if (identity !== undefined) over.set('key', [])
  return over.size === 0 ? invocation : { ...invocation, flags: layered(invocation.flags, over) }
}

/** What an item says counts as if it had been typed, and contradicts what a typed flag would. */
function layered(flags: FlagValues, over: ReadonlyMap<string, readonly string[]>): FlagValues {
  return {
    ...flags,
    text: (name) => (over.has(name) ? over.get(name)?.at(-1) : flags.text(name)),
    list: (name) => over.get(name) ?? flags.list(name),
    source: (name) => {
      const own = over.get(name)
      return own === undefined ? flags.source(name) : own.length > 0 ? 'flag' : undefined
    },
  }
}
