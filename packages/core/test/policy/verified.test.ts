import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../src/policy/compile.ts'
import { demandsOf } from '../../src/policy/demands.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { evaluatePolicy } from '../../src/policy/evaluate.ts'
import { readProven, type ProvenItem } from '../../src/policy/proven.ts'
import { encodePublicKeyPem } from '../../src/keys/public-key.ts'
import type { SignedEntity } from '../../src/bundle/model.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import type { TrustedRoot } from '../../src/trust/model.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  envelopeBy,
  hashedrekordV1,
  logBody,
  messageBy,
  newTestKey,
  newTestLog,
  nowMs,
  rootOf,
  signedAtMs,
  type TestKey,
  simpleSigningBy,
  verified,
} from '../verify/forge.ts'
import { documentOf } from './fixture.ts'

const [alice, bob] = [newTestKey(), newTestKey()]
const windowed = { pem: encodePublicKeyPem(bob.publicKey), validFrom: formatTime(signedAtMs - 1000) }
const policy = await compilePolicy(
  parsePolicy(
    documentOf({
      match: { files: ['**'] },
      identities: { alice: { keys: [encodePublicKeyPem(alice.publicKey)] }, bob: { keys: [windowed] } },
      require: [{ name: 'signed', signature: { by: { threshold: 2, of: ['alice', 'bob'] } } }],
    }),
  ),
  { primitives: nodePrimitives },
)

async function prove(entities: readonly SignedEntity[], trustedRoot?: TrustedRoot): Promise<readonly ProvenItem[]> {
  const demands = demandsOf(policy)
  expect(demands.certificates).toBeUndefined()
  const items: ProvenItem[] = []
  for (const entity of entities) {
    if (demands.keys === undefined) continue
    const result = await verified(entity, demands.keys, trustedRoot === undefined ? {} : { trustedRoot })
    if (result.ok) items.push(await readProven(result.evidence, 'test', nodePrimitives))
  }
  return items
}

function decide(evidence: readonly ProvenItem[]): string {
  const artifact = { kind: 'file', path: 'a', digests: [digestOf(artifactBytes)] } as const
  return evaluatePolicy(policy, { artifact, evidence, refusals: [], unreadable: [], revocations: new Map(), nowMs }).decision
}

const log = await newTestLog(1)
const trustedRoot = rootOf({ logs: [log.instance] })

function logged(key: TestKey, integratedTimeMs = signedAtMs): SignedEntity {
  const content = messageBy(key)
  return { ...entityOf(content), logEntries: [logBody(log, hashedrekordV1(content.signature, key, artifactBytes), { integratedTimeMs })] }
}

describe('what verification proved', () => {
  it('is what the policy counts: a legacy signature of one person and a logged one of another make two', async () => {
    const proven = await prove([entityOf(simpleSigningBy(alice, digestOf(artifactBytes))), logged(bob)], trustedRoot)
    expect(proven.map(({ signedMs }) => signedMs)).toEqual([undefined, signedAtMs])
    expect(decide(proven)).toBe('allow')
  })

  it('attack: bundle, legacy signature and envelope of one key count once', async () => {
    const entities = [logged(alice), entityOf(simpleSigningBy(alice, digestOf(artifactBytes))), entityOf(envelopeBy(alice))]
    const proven = await prove(entities, trustedRoot)
    expect(proven.length).toBe(3)
    expect(decide(proven)).toBe('deny')
  })

  it('counts a key with a window by the time of the log, and not without one', async () => {
    expect(decide(await prove([entityOf(messageBy(alice)), entityOf(messageBy(bob))], trustedRoot))).toBe('deny')
    expect(decide(await prove([entityOf(messageBy(alice)), logged(bob, signedAtMs - 3_600_000)], trustedRoot))).toBe('deny')
    expect(decide(await prove([entityOf(messageBy(alice)), logged(bob)], trustedRoot))).toBe('allow')
  })

  it('is demanded of certificates with log and SCT, and of names at least as wide as the policy compares', async () => {
    const ci = { certificate: { issuer: 'https://i', subject: { glob: 'https://x/**/r?l@v*' } } }
    const compiled = await compilePolicy(
      parsePolicy(
        documentOf({
          identities: { ci, unused: { certificate: { issuer: 'a', subject: 'b' } } },
          require: [{ name: 'signed', signature: { by: 'ci' } }],
        }),
      ),
      { primitives: nodePrimitives },
    )
    expect(demandsOf(compiled)).toEqual({
      certificates: {
        content: { kind: 'any_content' },
        signer: {
          kind: 'identities',
          identities: [{ issuer: { kind: 'exact', value: 'https://i' }, subject: { kind: 'glob', value: 'https://x/*/r*l@v*' } }],
        },
        log: { kind: 'required' },
        sct: { kind: 'required' },
        signedTimestamp: { kind: 'not_demanded' },
        claims: { kind: 'required' },
      },
    })
  })
})
