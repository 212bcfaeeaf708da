import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amendRevocations, newRevocationList } from '../../src/policy/revocation-edit.ts'
import type { RevocationEntry } from '../../src/policy/revocation-list.ts'
import { rollbackOf } from '../../src/policy/revocations.ts'
import { failureOf } from '../refusal.ts'
import { daysAgo, digest, now } from './fixture.ts'

const times = { issuedMs: now, expiresMs: now + 1000 }
const entry = (effectiveMs: number | undefined, severity: 'deny' | 'warn' = 'deny'): RevocationEntry => ({
  target: { kind: 'artifact', digest },
  ...(effectiveMs === undefined ? {} : { effectiveMs }),
  severity,
  reason: 'x',
})
const first = newRevocationList('acme', { add: [entry(daysAgo(5))], ...times })

describe('the next version of a revocation list', () => {
  it('begins with 1 and rises by 1', () => {
    expect([first.version, amendRevocations(first, { add: [], ...times }).version]).toEqual([1, 2])
  })

  it.each([
    ['earlier', entry(daysAgo(6)), [entry(daysAgo(6))]],
    ['for all time', entry(undefined), [entry(undefined)]],
    ['the same again', entry(daysAgo(5)), [entry(daysAgo(5))]],
    ['earlier but milder, beside the graver one', entry(daysAgo(6), 'warn'), [entry(daysAgo(5)), entry(daysAgo(6), 'warn')]],
  ])('may revoke %s', (_what, added, entries) => {
    expect(amendRevocations(first, { add: [added], ...times }).entries).toEqual(entries)
  })

  it.each([
    ['later', 4],
    ['earlier', 6],
  ])('keeps what it revokes beside another target from a %s moment', (_when, days) => {
    const other = { ...entry(daysAgo(days)), target: { kind: 'key', fingerprint: digest } as const }
    expect(amendRevocations(first, { add: [other], ...times }).entries).toEqual([...first.entries, other])
  })

  it('may warn from an earlier moment of what it warned of, and from a later one never', () => {
    const warned = newRevocationList('acme', { add: [entry(daysAgo(5), 'warn')], ...times })
    const earlier = entry(daysAgo(6), 'warn')
    expect(amendRevocations(warned, { add: [earlier], ...times }).entries).toEqual([earlier])
    expect(failureOf(() => amendRevocations(warned, { add: [entry(daysAgo(4), 'warn')], ...times }))?.code).toBe('usage')
    expect(amendRevocations(warned, { add: [entry(daysAgo(5))], ...times }).entries).toEqual([entry(daysAgo(5))])
  })

  it.each([
    ['later', entry(daysAgo(4))],
    ['milder', entry(daysAgo(5), 'warn')],
    ['later and milder', entry(daysAgo(4), 'warn')],
  ])('attack: never revokes %s than before', (_what, added) => {
    expect(failureOf(() => amendRevocations(first, { add: [added], ...times }))?.code).toBe('usage')
  })

  it.each([
    ['expires before it is issued', { issuedMs: now, expiresMs: now }],
    ['is issued before the one before', { issuedMs: now - 1, expiresMs: now + 1 }],
  ])('is none that %s', (_what, wrong) => {
    expect(failureOf(() => amendRevocations(first, { add: [], ...wrong }))?.code).toBe('usage')
  })

  it('is one that every verifier takes who has seen the last, whatever is added in whichever order', () => {
    const moments = fc.option(fc.integer({ min: 1, max: 9 }).map(daysAgo), { nil: undefined })
    const entries = fc.array(
      fc.tuple(moments, fc.constantFrom('deny' as const, 'warn' as const)).map(([at, severity]) => entry(at, severity)),
    )
    fc.assert(
      fc.property(fc.array(entries, { maxLength: 6 }), (changes) => {
        let list = newRevocationList('acme', { add: [], ...times })
        for (const add of changes) {
          let next = list
          const refused = failureOf(() => {
            next = amendRevocations(list, { add, ...times })
          })
          expect(refused?.code ?? 'usage').toBe('usage')
          expect(rollbackOf(list, next)).toBeUndefined()
          list = next
        }
      }),
    )
  })
})
