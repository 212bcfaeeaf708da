import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import type { SignedEntity } from '../../src/bundle/model.ts'
import { utf8 } from '../../src/bytes.ts'
import { preAuthHeadBytes } from '../../src/dsse/envelope.ts'
import { CountersignError } from '../../src/failure.ts'
import { maxBufferedArtifact, readArtifact } from '../../src/verify/artifact.ts'
import { maxPatternLength, nameMatches, proveIdentity } from '../../src/verify/identity.ts'
import { openLedger, readingPart, refusalOf } from '../../src/verify/ledger.ts'
import type { IdentityMatch, NameMatch } from '../../src/verify/policy.ts'
import { distinctAuthorities, timeText } from '../../src/verify/time.ts'
import { bytesToKeepFor } from '../../src/verify/verify.ts'
import { newAuthority } from '../x509/issue.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  envelopeBy,
  hashedrekordV1,
  keysOf,
  logBody,
  messageBy,
  newTestKey,
  newTestLog,
  policyOf,
  rootOf,
  simpleSigningBy,
  verified,
} from './forge.ts'

const key = newTestKey()
const policy = policyOf(keysOf(key))

async function outcome(entity: SignedEntity): Promise<string> {
  const result = await verified(entity, policy)
  return result.ok ? 'verified' : result.code
}

describe('the last that is accepted, and the first that is not', () => {
  it('of timestamps is the 32nd', async () => {
    const stamps = (length: number): SignedEntity => ({
      ...entityOf(messageBy(key)),
      timestamps: Array.from({ length }, () => new Uint8Array(1)),
    })
    expect(await outcome(stamps(32))).toBe('verified')
    expect(await verified(stamps(33), policy)).toMatchObject({ code: 'limit_exceeded', detail: '33 timestamps', expected: 'at most 32' })
  })

  it('of log entries is the 32nd, and each of them is proven', async () => {
    const log = await newTestLog()
    const content = messageBy(key)
    const body = hashedrekordV1(content.signature, key, artifactBytes)
    const logged = (length: number): SignedEntity => ({
      ...entityOf(content),
      logEntries: Array.from({ length }, (_, logIndex) => logBody(log, body, { logIndex })),
    })
    const result = await verified(logged(32), policy, { trustedRoot: rootOf({ logs: [log.instance] }) })
    expect(result.ok && result.evidence.log).toHaveLength(32)
    expect(await verified(logged(33), policy)).toMatchObject({ code: 'limit_exceeded', detail: '33 log entries', expected: 'at most 32' })
  })

  it('of certificates beside a signature is the 16th', async () => {
    const { root } = newAuthority()
    const chain = (length: number): SignedEntity =>
      entityOf(messageBy(key), { kind: 'certificate', chain: Array.from({ length }, () => root) as unknown as [Uint8Array] })
    expect(await outcome(chain(16))).toBe('signer_untrusted')
    expect(await verified(chain(17), policy)).toMatchObject({ code: 'limit_exceeded', expected: 'at most 16' })
  })

  it('of the bytes of a signature is the 1024th', async () => {
    const content = (length: number): SignedEntity => entityOf({ kind: 'message', signature: new Uint8Array(length).fill(1) })
    expect(await outcome(content(1))).toBe('signer_untrusted')
    expect(await outcome(content(1024))).toBe('signer_untrusted')
    expect(await outcome(content(1025))).toBe('bundle_malformed')
  })

  it('of the characters of a pattern is the 1024th', async () => {
    const pattern = (length: number): NameMatch => ({ kind: 'pattern', value: 'a'.repeat(length) })
    expect(await nameMatches('a'.repeat(maxPatternLength), pattern(maxPatternLength))).toBe(true)
    await expect(nameMatches('a', pattern(maxPatternLength + 1))).rejects.toMatchObject({
      code: 'pattern_malformed',
      message: 'a pattern of 1025 characters',
      expected: 'at most 1024',
    })
  })

  it('of the characters that a report repeats is the 1024th, and none is cut in half', () => {
    const ledger = openLedger()
    for (const detail of ['a'.repeat(1024), 'a'.repeat(1025), `${'a'.repeat(1023)}😀`]) ledger.held('identity', detail)
    expect(ledger.checks.map(({ detail }) => detail)).toEqual(['a'.repeat(1024), `${'a'.repeat(1024)}…`, `${'a'.repeat(1023)}\ufffd…`])
  })

  it('of the times that have a date is the last of ECMA-262', () => {
    expect(timeText(8.64e15)).toBe('+275760-09-13T00:00:00Z')
    expect(timeText(8.64e15 + 2)).toBe('8640000000000002 ms')
    expect(timeText(-8.64e15)).toBe('-271821-04-20T00:00:00Z')
  })
})

describe('a refusal repeats so much of a hostile text, and no more:', () => {
  it('100 characters of a hint', async () => {
    const hint = '?'.repeat(300)
    const entity = entityOf(messageBy(newTestKey()), { kind: 'public-key', hint })
    expect(await verified(entity, policy)).toMatchObject({ found: `hint "${'?'.repeat(100)}"` })
    const anyone = policyOf({ kind: 'any_certified_signer_UNSAFE', reason: 'test' })
    expect(await verified(entity, anyone)).toMatchObject({ code: 'signer_untrusted', found: `a key, hint ${'?'.repeat(100)}` })
    expect(await verified(entityOf(messageBy(key)), anyone)).toMatchObject({ code: 'signer_untrusted', found: 'a key' })
  })

  it('200 characters of a payload type', async () => {
    const content = envelopeBy(key, { payloadType: '?'.repeat(300) })
    expect(await verified(entityOf(content), policy)).toMatchObject({ code: 'dsse_malformed', found: '?'.repeat(200) })
  })

  it('four subjects of a statement, and how many more there are', async () => {
    const subjects = (count: number): object[] =>
      Array.from({ length: count }, (_, index) => ({ digest: { sha256: String(index).repeat(64) } }))
    const told = async (count: number): Promise<string | undefined> => {
      const result = await verified(entityOf(envelopeBy(key, { subject: subjects(count) })), policy)
      return result.ok ? undefined : result.found
    }
    const four = [0, 1, 2, 3].map((index) => `sha256:${String(index).repeat(64)}`).join(', ')
    expect(await told(4)).toBe(four)
    expect(await told(5)).toBe(`${four} and 1 more`)
    expect(await told(9)).toBe(`${four} and 5 more`)
  })

  it('eight trusted keys, and how many more there are', async () => {
    const told = async (count: number): Promise<string | undefined> => {
      const keys = Array.from({ length: count }, () => newTestKey())
      const result = await verified(entityOf(messageBy(key)), policyOf(keysOf(...keys)))
      return result.ok ? undefined : result.expected
    }
    expect((await told(8))?.split(', ')).toHaveLength(8)
    expect(await told(8)).not.toContain('more')
    expect(await told(9)).toMatch(/^(sha256:[0-9a-f]{64}(, )?){8} and 1 more$/)
    expect(await told(12)).toMatch(/ and 4 more$/)
  })

  it('eight identities, with each of their extensions', async () => {
    const issuer: NameMatch = { kind: 'exact', value: 'https://issuer.example' }
    const identity = (index: number): IdentityMatch => ({ issuer, subject: { kind: 'glob', value: `${index}@**` } })
    const names = { issuer: 'https://issuer.example', subject: 'eve@example.org', extensions: new Map() }
    const told = (index: number): string => `subject glob ${index}@**, issuer https://issuer.example`
    await expect(proveIdentity(names, [...Array(9).keys()].map(identity), openLedger())).rejects.toMatchObject({
      expected: [...Array(8).keys()].map(told).join(', or '),
      found: 'eve@example.org (issuer https://issuer.example)',
    })
    const extensions = new Map<number, NameMatch>([
      [12, { kind: 'exact', value: 'https://code.example/app' }],
      [14, { kind: 'pattern', value: 'refs/.*' }],
    ])
    await expect(proveIdentity(names, [{ ...identity(0), extensions }], openLedger())).rejects.toMatchObject({
      expected: `${told(0)}, 1.3.6.1.4.1.57264.1.12 https://code.example/app, 1.3.6.1.4.1.57264.1.14 pattern refs/.*`,
    })
  })

  it('100 characters of a pattern that is none', async () => {
    const failure = nameMatches('a', { kind: 'pattern', value: '('.repeat(300) })
    await expect(failure).rejects.toMatchObject({
      code: 'pattern_malformed',
      message: `not a pattern of RE2: "${'('.repeat(100)}"`,
      cause: expect.objectContaining({ message: expect.any(String) as string }) as unknown,
    })
  })
})

it('of several identities that match, the first is the one in the evidence', async () => {
  const issuer: NameMatch = { kind: 'exact', value: 'https://issuer.example' }
  const names = { issuer: issuer.value, subject: 'dev@example.org', extensions: new Map() }
  const ledger = openLedger()
  await proveIdentity(
    names,
    ['eve@*', '*@example.org', '**'].map((value) => ({ issuer, subject: { kind: 'glob', value } })),
    ledger,
  )
  expect(ledger.checks).toEqual([{ check: 'identity', detail: 'subject glob *@example.org, issuer https://issuer.example' }])
})

it('an extension that is not there is not an empty one', async () => {
  const issuer: NameMatch = { kind: 'exact', value: 'https://issuer.example' }
  const identity = { issuer, subject: issuer, extensions: new Map([[14, { kind: 'exact', value: '' } as const]]) }
  const names = { issuer: issuer.value, subject: issuer.value }
  await expect(proveIdentity({ ...names, extensions: new Map() }, [identity], openLedger())).rejects.toMatchObject({
    code: 'identity_mismatch',
  })
  await proveIdentity({ ...names, extensions: new Map([[14, '']]) }, [identity], openLedger())
})

describe('the failure of a part', () => {
  const reading = (cause: unknown): unknown => {
    try {
      return readingPart('bundle_malformed', 'the part', () => {
        throw cause
      })
    } catch (failure) {
      return failure
    }
  }

  it('becomes a code of the verification, and keeps what was expected, what was found, and its cause', () => {
    const cause = new CountersignError('der_malformed', 'cut', { expected: 'ten', found: 'nine' })
    expect(reading(cause)).toMatchObject({
      code: 'bundle_malformed',
      message: 'the part: cut',
      expected: 'ten',
      found: 'nine',
      cause,
    })
  })

  it('is passed on as it is when it is a defect', () => {
    for (const cause of [new TypeError('defect'), new CountersignError('internal', 'defect')]) expect(reading(cause)).toBe(cause)
  })

  it('has no members without value, as little as the refusal made of it', () => {
    const bare = reading(new CountersignError('der_malformed', 'cut'))
    expect(Object.entries(refusalOf(bare as CountersignError, []))).toEqual([
      ['ok', false],
      ['code', 'bundle_malformed'],
      ['detail', 'the part: cut'],
      ['checks', []],
    ])
    const full = new CountersignError('der_malformed', 'cut', { expected: 'a\n', found: 'b\n', hint: 'c' })
    expect(refusalOf(full, [])).toMatchObject({ expected: 'a\\u{a}', found: 'b\\u{a}', hint: 'c' })
  })
})

it('times of several authorities, and of a log and an authority of one name, are listed each', () => {
  const time = (source: 'log' | 'timestamp', authority: string): Parameters<typeof distinctAuthorities>[0][number] => ({
    source,
    timeMs: 1,
    authority,
  })
  const times = [time('log', 'a'), time('timestamp', 'a'), time('timestamp', 'b'), time('timestamp', 'b')]
  expect(distinctAuthorities(times)).toEqual(times.slice(0, 3))
})

describe('of a stream is kept', () => {
  const ed25519 = newTestKey('ed25519')
  const kept = (content: SignedEntity['content'], ...keys: (typeof key)[]): number =>
    bytesToKeepFor(entityOf(content), policyOf(keysOf(...keys)))

  it('all that is allowed where one of the keys may have signed it as a whole, else 1 MiB, and nothing for other content', () => {
    expect(kept(messageBy(key), ed25519)).toBe(maxBufferedArtifact)
    expect(kept(messageBy(key), key, ed25519)).toBe(maxBufferedArtifact)
    expect(kept(messageBy(key), key, newTestKey('rsa'))).toBe(1024 * 1024)
    expect(kept(envelopeBy(ed25519), ed25519)).toBe(0)
    expect(kept(simpleSigningBy(ed25519, digestOf(artifactBytes)), ed25519)).toBe(0)
  })

  it('the beginning, however it comes in pieces', async () => {
    const bytes = utf8('a file that is longer than the beginning of an encoding of any kind')
    for (const size of [1, 5, 24, 25, 100]) {
      const stream = (async function* pieces() {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
      })()
      const { head, bytes: whole } = await readArtifact({ kind: 'stream', stream }, ['sha256'], 100, nodePrimitives)
      expect(head).toEqual(bytes.subarray(0, preAuthHeadBytes))
      expect(whole).toEqual(bytes)
    }
    const { head } = await readArtifact({ kind: 'bytes', bytes }, ['sha256'], 100, nodePrimitives)
    expect(head).toEqual(bytes.subarray(0, preAuthHeadBytes))
  })
})
