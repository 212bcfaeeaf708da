import { parseDigest } from '@countersign/core/digest'
import type { FailureCode } from '@countersign/core/failure'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'
import { describe, expect, it } from 'vitest'
import type { Explained } from '../../src/explain/explained.ts'
import { remediesOf } from '../../src/explain/remedies.ts'
import { stepsOf } from '../../src/explain/steps.ts'

const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
if (digest === undefined) throw new TypeError('no digest')

function refusal(code: FailureCode, more: Partial<Refusal> = {}): Refusal {
  return { ok: false, code, detail: `it is ${code}`, checks: [{ check: 'content_type', detail: 'a statement' }], ...more }
}

function explained(failure: Refusal, more: Partial<Explained> = {}): Explained {
  const demands = { log: 'required', sct: 'required', signedTimestamp: 'not demanded', claims: 'required' }
  return {
    kind: 'image',
    content: 'signature',
    demands: { signers: ['me@example.com by https://issuer.example'], demands },
    events: [],
    dropped: 0,
    signatures: [{ name: digest as string, result: { refusal: failure } }],
    unreadable: [],
    failure,
    proven: [],
    ...more,
  }
}

function provenBy(subject: string): Evidence {
  const signer = {
    kind: 'certificate',
    issuer: 'https://issuer.example',
    subject,
    fingerprint: digest,
    keyFingerprint: digest,
    notBeforeMs: 0,
    notAfterMs: 1,
    extensions: {},
  } as Evidence['signer']
  return {
    content: { kind: 'message' },
    annotations: {},
    algorithm: 'PKIX_ECDSA_P256_SHA_256',
    signer,
    log: [],
    times: [],
    checks: [],
    waivers: [],
  }
}

describe('what would make a verification pass', () => {
  it('names exact flags and the line of a policy for an identity that was proven', () => {
    const lines = remediesOf('app', explained(refusal('identity_mismatch'), { proven: [provenBy('dev@example.com')] }))
    expect(lines).toContain('If you trust dev@example.com, vouched for by https://issuer.example:')
    expect(lines).toContain('  flags: --certificate-identity=dev@example.com --certificate-oidc-issuer=https://issuer.example')
  })

  it('never offers a hostile name for pasting as it is: whoever was certified chose it', () => {
    const lines = remediesOf('app', explained(refusal('identity_mismatch'), { proven: [provenBy("a'; touch pwned; '\u{1b}[2J")] }))
    expect(lines.filter((line) => line.includes('flags:') || line.includes('\u{1b}'))).toEqual([])
  })

  it('quotes what was found where it becomes a flag', () => {
    expect(remediesOf('app', explained(refusal('predicate_mismatch', { found: 'https://x.example/$(touch pwned)' })))).toEqual([
      "If that is the type you want: --type 'https://x.example/$(touch pwned)'",
    ])
    expect(remediesOf('$(touch pwned)', explained(refusal('no_signature'), { signatures: [] }))).toEqual([
      "countersign sign --key KEY '$(touch pwned)'",
    ])
  })

  it('says nothing where nothing failed', () => {
    const { failure: _, ...passed } = explained(refusal('no_signature'))
    expect(remediesOf('app', passed)).toEqual([])
  })
})

describe('the steps', () => {
  it('are numbered, name what held before a refusal and what failed, and mark the step that failed', () => {
    const steps = stepsOf('app', explained(refusal('log_entry_missing', { expected: 'an entry', found: 'none' })))
    expect(steps.map(({ number, outcome }) => [number, outcome])).toEqual([
      [1, 'done'],
      [2, 'done'],
      [3, 'failed'],
      [4, 'failed'],
      [5, 'failed'],
      [6, 'failed'],
      [7, 'done'],
    ])
    expect(steps[4]?.lines).toEqual([
      { mark: 'held', check: 'content_type', text: 'content_type: a statement' },
      { mark: 'failed', check: 'log_entry_missing', text: 'log_entry_missing: it is log_entry_missing: expected an entry, found none' },
    ])
    expect(steps[6]?.lines).toEqual([{ text: 'Sign it with a log entry; or do without one, by name: --insecure-ignore-tlog' }])
  })

  it('are bounded: of very many requests and signatures some are shown, and how many are not', () => {
    const many = refusal('signer_untrusted')
    const events = Array.from({ length: 500 }, () => ({ kind: 'reused', purpose: 'a manifest', bytes: 1 }) as const)
    const signatures = Array.from({ length: 80 }, (_, at) => ({ name: `${at}`, result: { refusal: many } }))
    const steps = stepsOf('app', explained(many, { events, signatures, dropped: 7 }))
    expect(steps[1]?.lines.at(-1)).toEqual({ text: '307 more are not shown' })
    expect(steps.some(({ title }) => title === '30 more signatures are not shown')).toBe(true)
  })
})
