import { dueExpiries, dueText, policyExpiries, trustedRootExpiries } from '@countersign/core/expiry/expiry'
import type { CompiledIdentity } from '@countersign/core/policy/compile'
import type { ArtifactPolicy } from '@countersign/core/policy/model'
import type { RevocationState } from '@countersign/core/policy/revocations'
import type { AuthorityInstance, LogInstance, TrustedRoot } from '@countersign/core/trust/model'
import type { OwnAuthority } from '@countersign/core/verify/policy'
import { describe, expect, it } from 'vitest'
import { issue, nameOf, newKey } from '../x509/issue.ts'

const dayMs = 24 * 60 * 60 * 1000
const now = Date.UTC(2026, 10, 20)
const none: TrustedRoot = { logs: [], certificateAuthorities: [], ctLogs: [], timestampAuthorities: [] }

function authority(more: Partial<AuthorityInstance>): AuthorityInstance {
  return { organization: 'Example', commonName: 'CA', uri: 'https://ca.example.org', certificates: [], validFor: { start: 0 }, ...more }
}

function log(baseUrl: string, end?: number): LogInstance {
  return { baseUrl, validFor: end === undefined ? { start: 0 } : { start: 0, end } } as LogInstance
}

const certificate = (notAfterMs: number): Uint8Array => issue({ issuer: { name: nameOf('root'), key: newKey() }, notAfterMs })

const ends = (root: Partial<TrustedRoot>): readonly number[] => trustedRootExpiries({ ...none, ...root }).map(({ endsMs }) => endsMs)

describe('the end of an anchor', () => {
  it('is that of its window, or of a certificate in its chain, whichever is first', () => {
    const certificates = [certificate(now + 3 * dayMs), certificate(now + 900 * dayMs)]
    expect(ends({ certificateAuthorities: [authority({ validFor: { start: 0, end: now + dayMs } })] })).toEqual([now + dayMs])
    expect(ends({ timestampAuthorities: [authority({ certificates, validFor: { start: 0, end: now + 5 * dayMs } })] })).toEqual([
      now + 3 * dayMs,
    ])
  })

  it('is not told where nothing ends, nor of a certificate that cannot be read', () => {
    expect(ends({ certificateAuthorities: [authority({}), authority({ certificates: [new Uint8Array(3)] })] })).toEqual([])
  })

  it('is not told of one that another of the same owner outlives, which is a rotation', () => {
    const [old, next] = [log('https://log2025-1.rekor.example.org', now), log('https://log2026-1.rekor.example.org')]
    expect(ends({ logs: [old, next] })).toEqual([])
    expect(ends({ ctLogs: [old] })).toEqual([now])
    const ending = authority({ validFor: { start: 0, end: now } })
    expect(ends({ certificateAuthorities: [ending, authority({})] })).toEqual([])
  })

  it('is told of one that only a stranger outlives', () => {
    const ending = authority({ validFor: { start: 0, end: now } })
    const stranger = authority({ organization: 'Other', uri: 'https://ca.other.example' })
    expect(ends({ certificateAuthorities: [ending, stranger] })).toEqual([now])
    expect(ends({ logs: [log('http://127.0.0.1:1', now), log('http://127.0.0.2:1')] })).toEqual([now])
  })
})

describe('a warning', () => {
  const expiry = (endsMs: number) => ({ what: 'it', endsMs, next: 'Renew it.' })

  it('begins the given time before the end, and stops at it', () => {
    const at = (endsMs: number) => dueExpiries([expiry(endsMs)], now, 14 * dayMs).length
    expect([at(now - 1), at(now), at(now + 14 * dayMs - 1), at(now + 14 * dayMs)]).toEqual([0, 1, 1, 0])
    expect(dueExpiries([expiry(now)], now, 0)).toEqual([])
  })

  it('begins later for what lives only days', () => {
    const short = { ...expiry(now + 3 * dayMs), atMostMs: 2 * dayMs }
    expect(dueExpiries([short], now, 14 * dayMs)).toEqual([])
    expect(dueExpiries([{ ...short, endsMs: now + dayMs }], now, 14 * dayMs)).toHaveLength(1)
  })

  it('says how many days are left, the nearest first', () => {
    const due = dueExpiries([expiry(now + 5.5 * dayMs), expiry(now + dayMs), expiry(now + 60_000)], now, 14 * dayMs)
    expect(due.map(dueText)).toEqual([
      'less than a day left: it ends on 2026-11-20. Renew it.',
      '1 day left: it ends on 2026-11-21. Renew it.',
      '5 days left: it ends on 2026-11-25. Renew it.',
    ])
  })
})

describe('a policy', () => {
  const key = (end?: number) => ({
    source: { kind: 'name', name: 'k' } as const,
    path: '$',
    ...(end === undefined ? {} : { validFor: { start: 0, end } }),
  })
  const policy = (keys: ReturnType<typeof key>[], listKeys: ReturnType<typeof key>[] = [key()]): ArtifactPolicy => ({
    name: 'p',
    match: { images: [], files: [], mediaTypes: [] },
    unmatched: 'deny',
    identities: new Map([['alice', { name: 'alice', signer: { kind: 'keys', keys }, roles: [], path: '$' }]]),
    rules: [],
    revocations: [{ name: 'list', keys: listKeys, threshold: 1, minVersion: 0, required: true, path: '$' }],
    mirrors: [],
  })
  const of = (document: ArtifactPolicy, states: ReadonlyMap<string, RevocationState> = new Map()) =>
    policyExpiries({ policy: document, identities: [] }, states).map(({ what, endsMs }) => [what, endsMs])

  it('ends for an identity with the last of its keys', () => {
    expect(of(policy([key(now), key(now + dayMs)]))).toEqual([['identity "alice" of the policy', now + dayMs]])
    expect(of(policy([key(now), key()]))).toEqual([])
  })

  it('ends for a certificate identity with its window', () => {
    const base = policy([])
    const match = { kind: 'exact', value: 'x' } as const
    const signer = { kind: 'certificate', issuer: match, subject: match, extensions: new Map(), validFor: { start: 0, end: now } } as const
    const document = { ...base, identities: new Map([['ci', { name: 'ci', signer, roles: [], path: '$' }]]) }
    expect(of(document)).toEqual([['identity "ci" of the policy', now]])
  })

  it('ends for an identity of a PKI of one’s own with its root, or the last of its intermediates', () => {
    const [between, root] = [certificate(now + dayMs), certificate(now + 9 * dayMs)]
    const authority = { anchors: [{ certificates: [between, root], validFor: { start: 0 } }] } as unknown as OwnAuthority
    const identity = { name: 'pki', authority } as unknown as CompiledIdentity
    expect(policyExpiries({ policy: policy([]), identities: [identity] }, new Map()).map(({ endsMs }) => endsMs)).toEqual([
      now + 9 * dayMs,
      now + dayMs,
    ])
  })

  it('has revocation lists and keys of lists that end', () => {
    const list = { name: 'list', version: 1, issuedMs: 0, expiresMs: now, entries: [] }
    const states = new Map<string, RevocationState>([['list', { ok: true, list, signedBy: [] }]])
    expect(of(policy([key()], [key(now + dayMs)]), states)).toEqual([
      ['the last of the keys that sign revocations "list"', now + dayMs],
      ['the list of revocations "list"', now],
    ])
  })
})
