/**
 * When what a verification trusts will end: windows of a trusted root and the certificates in it, keys of a policy, revocation lists.
 *
 * That something has ended is what verification itself refuses by; this says it while there is still time.
 */
import type { CompiledPolicy } from '../policy/compile.ts'
import type { RevocationState } from '../policy/revocations.ts'
import type { AuthorityInstance, LogInstance, TimeRange, TrustedRoot } from '../trust/model.ts'
import { CountersignError } from '../failure.ts'
import { parseCertificate } from '../x509/certificate.ts'

/** Something trusted, and until when. */
export type Expiry = {
  /** For people, e.g. `the timestamp authority "Example TSA" of the trusted root`. */
  readonly what: string
  /** Unix milliseconds; good up to and including this moment. */
  readonly endsMs: number
  /** What follows, and what to do: a sentence. */
  readonly next: string
  /** For what lives only days by design: the warning begins no earlier than this, milliseconds before the end. */
  readonly atMostMs?: number
}

/** An expiry that is near. */
export type DueExpiry = Expiry & { /** Whole days that are left, 0 on the last one. */ readonly daysLeft: number }

const dayMs = 24 * 60 * 60 * 1000

/** The expiries that are less than `withinMs` away, the nearest first. What has ended already is not among them. */
export function dueExpiries(expiries: readonly Expiry[], nowMs: number, withinMs: number): readonly DueExpiry[] {
  return expiries
    .filter(({ endsMs, atMostMs }) => endsMs >= nowMs && endsMs - nowMs < Math.min(withinMs, atMostMs ?? withinMs))
    .toSorted((a, b) => a.endsMs - b.endsMs)
    .map((expiry) => ({ ...expiry, daysLeft: Math.floor((expiry.endsMs - nowMs) / dayMs) }))
}

/** One line for people: `5 days left: WHAT ends on 2026-11-25. NEXT`. */
export function dueText({ what, endsMs, next, daysLeft }: DueExpiry): string {
  const left = daysLeft === 0 ? 'less than a day' : daysLeft === 1 ? '1 day' : `${daysLeft} days`
  return `${left} left: ${what} ends on ${new Date(endsMs).toISOString().slice(0, 10)}. ${next}`
}

/**
 * When the anchors of a trusted root end: by their window or by a certificate in their chain, whichever is first. One that another of the
 * same owner outlives is left out: that is a rotation. A certificate that cannot be read is left to verification.
 */
export function trustedRootExpiries(root: TrustedRoot): readonly Expiry[] {
  return [
    ...logExpiries('the transparency log', root.logs),
    ...authorityExpiries('the certificate authority', root.certificateAuthorities),
    ...logExpiries('the certificate log', root.ctLogs),
    ...authorityExpiries('the timestamp authority', root.timestampAuthorities),
  ]
}

type Anchor = { readonly what: string; readonly owner: string; readonly endsMs: number }

function logExpiries(kind: string, logs: readonly LogInstance[]): readonly Expiry[] {
  return withoutSuccessor(
    logs.map(({ baseUrl, validFor }) => ({ what: `${kind} ${baseUrl}`, owner: ownerOf(baseUrl), endsMs: endOf(validFor) })),
  )
}

function authorityExpiries(kind: string, authorities: readonly AuthorityInstance[]): readonly Expiry[] {
  return withoutSuccessor(
    authorities.map((authority) => {
      const { commonName, organization, uri, certificates, validFor } = authority
      const name = commonName || organization || uri
      const endsMs = Math.min(endOf(validFor), ...certificates.map(notAfter))
      return { what: `${kind} ${JSON.stringify(name)}`, owner: `${organization}\n${uri === '' ? commonName : ownerOf(uri)}`, endsMs }
    }),
  )
}

function withoutSuccessor(anchors: readonly Anchor[]): readonly Expiry[] {
  return anchors
    .filter(({ owner, endsMs }) => endsMs !== Infinity && !anchors.some((other) => other.owner === owner && other.endsMs > endsMs))
    .map(({ what, endsMs }) => ({
      what: `${what} of the trusted root`,
      endsMs,
      next: 'What is signed later will not be accepted: get a newer trusted root.',
    }))
}

/** Shards of a log differ in the first label of their host: `log2025-1.rekor.example`, `log2026-1.rekor.example`. */
function ownerOf(url: string): string {
  const host = /^[a-z]+:\/\/([^/:]*)/.exec(url)?.[1] ?? url
  const labels = host.split('.')
  return labels.length > 2 && !/^[0-9.]+$/.test(host) ? labels.slice(1).join('.') : host
}

function endOf({ end }: TimeRange): number {
  return end ?? Infinity
}

function notAfter(certificate: Uint8Array): number {
  try {
    return parseCertificate(certificate).notAfterMs
  } catch (cause) {
    if (cause instanceof CountersignError) return Infinity
    throw cause
  }
}

/**
 * When the keys and certificates of a policy and the revocation lists in force end. An identity with a key or authority that lasts longer is in
 * the middle of a rotation.
 */
export function policyExpiries(
  { policy, identities }: Pick<CompiledPolicy, 'policy' | 'identities'>,
  revocations: ReadonlyMap<string, RevocationState>,
): readonly Expiry[] {
  const expiries: Expiry[] = []
  const add = (what: string, ends: readonly number[], next: string): void => {
    const endsMs = Math.max(...ends)
    if (Number.isFinite(endsMs)) expiries.push({ what, endsMs, next })
  }
  for (const { name, signer } of policy.identities.values()) {
    const windows = signer.kind === 'keys' ? signer.keys.map(({ validFor }) => validFor) : [signer.validFor]
    add(
      `identity ${JSON.stringify(name)} of the policy`,
      windows.map(endOfWindow),
      'Signatures made later will not count: add the next one to the policy.',
    )
  }
  for (const { name, authority } of identities) {
    const chains = (authority?.anchors ?? []).map(({ certificates }) => certificates.map(notAfter))
    const [roots, between] = [chains.map((chain) => chain.at(-1) ?? Infinity), chains.flatMap((chain) => chain.slice(0, -1))]
    const next = 'What is signed later will not count: add the next certificate to the policy.'
    if (roots.length > 0) add(`the root certificate of identity ${JSON.stringify(name)} of the policy`, roots, next)
    if (between.length > 0) add(`the intermediate certificate of identity ${JSON.stringify(name)} of the policy`, between, next)
  }
  for (const source of policy.revocations) {
    const what = `the last of the keys that sign revocations ${JSON.stringify(source.name)}`
    add(
      what,
      source.keys.map(({ validFor }) => endOfWindow(validFor)),
      'Lists that are signed later will not count: add the next key to the policy.',
    )
    const state = revocations.get(source.name)
    if (state?.ok === true) {
      const next = 'Get the next version of it.'
      expiries.push({ what: `the list of revocations ${JSON.stringify(source.name)}`, endsMs: state.list.expiresMs, next })
    }
  }
  return expiries
}

function endOfWindow(window: TimeRange | undefined): number {
  return window === undefined ? Infinity : endOf(window)
}
