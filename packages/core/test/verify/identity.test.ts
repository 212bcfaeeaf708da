import { describe, expect, it } from 'vitest'
import { openLedger } from '../../src/verify/ledger.ts'
import { maxPatternLength, nameMatches, proveIdentity } from '../../src/verify/identity.ts'
import type { NameMatch } from '../../src/verify/policy.ts'

const exact = (value: string): NameMatch => ({ kind: 'exact', value })
const pattern = (value: string): NameMatch => ({ kind: 'pattern', value })
const glob = (value: string): NameMatch => ({ kind: 'glob', value })

describe('an exact name', () => {
  it.each([
    ['dev@example.org', 'dev@example.org', true],
    ['DEV@example.org', 'dev@example.org', false],
    ['dev@example.org ', 'dev@example.org', false],
    ['dev@example.org.evil.test', 'dev@example.org', false],
    ['devXexample.org', 'dev.example.org', false],
    ['caf\u0065\u0301', 'caf\u00e9', false],
    ['', '*', false],
  ])('%j is demanded %j: %s', async (name, value, holds) => {
    expect(await nameMatches(name, exact(value))).toBe(holds)
  })
})

describe('a pattern', () => {
  it.each([
    ['^a|b$', 'xb', false],
    ['^a|b$', 'ax', false],
    ['^a|b$', 'a', true],
    ['^a|b$', 'b', true],
    ['a', 'xax', false],
    ['dev@example\\.org', 'dev@example.org.evil.test', false],
    ['dev@example\\.org', 'x\ndev@example.org', false],
    ['dev@example\\.org', 'dev@example.org\n', false],
    ['(?m)^dev@example\\.org$', 'evil\ndev@example.org', false],
    ['https://github\\.com/acme/.*', 'https://github.com/acme/app', true],
    ['https://github\\.com/acme/.*', 'https://github.com/acme/app\n', false],
    ['', '', true],
    ['', 'a', false],
  ])('%j is anchored whole: %j gives %s', async (value, name, holds) => {
    expect(await nameMatches(name, pattern(value))).toBe(holds)
  })

  it.each(['(', ')', 'a)|(b', '(?:a', 'a)(?:b', '[a', 'a{2,1}', '\\', 'a\\Q', '(?<=a)b', '(a)\\1', '*'])(
    'that is not RE2 by itself is pattern_malformed: %j',
    async (value) => {
      await expect(nameMatches('a', pattern(value))).rejects.toMatchObject({ code: 'pattern_malformed' })
    },
  )

  it('is bounded in length', async () => {
    await expect(nameMatches('a', pattern('a'.repeat(maxPatternLength + 1)))).rejects.toMatchObject({ code: 'pattern_malformed' })
  })

  it('takes linear time where backtracking takes exponential', async () => {
    const start = performance.now()
    expect(await nameMatches(`${'a'.repeat(2000)}!`, pattern('(a|aa)+'))).toBe(false)
    expect(performance.now() - start).toBeLessThan(10_000)
  })
})

describe('a glob', () => {
  it.each([
    ['*@example.org', 'dev@example.org', true],
    ['*@example.org', 'dev@example.org.evil.test', false],
    ['https://github.com/acme/*', 'https://github.com/acme/app', true],
    ['https://github.com/acme/*', 'https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main', false],
    ['https://github.com/acme/**', 'https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main', true],
    ['https://github.com/acme/**', 'https://github.com/acme-evil/app', false],
  ])('%j for %j: %s', async (value, name, holds) => {
    expect(await nameMatches(name, glob(value))).toBe(holds)
  })

  it.each(['', 'a***b', 'a'.repeat(1025)])('that is none is pattern_malformed: %j', async (value) => {
    await expect(nameMatches('a', glob(value))).rejects.toMatchObject({ code: 'pattern_malformed' })
  })
})

describe('an identity', () => {
  const names = {
    issuer: 'https://token.actions.githubusercontent.com',
    subject: 'https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main',
    extensions: new Map([[12, 'https://github.com/acme/app']]),
  }
  const issuer = exact(names.issuer)
  const subject = exact(names.subject)

  it('needs issuer and subject and every extension named', async () => {
    const extensions = new Map([[12, glob('https://github.com/acme/*')]])
    const ledger = openLedger()
    await proveIdentity(names, [{ issuer, subject, extensions }], ledger)
    expect(ledger.checks.map(({ check }) => check)).toEqual(['identity'])
    const wrong = [
      { issuer: exact('https://accounts.example.org'), subject },
      { issuer, subject: exact('dev@example.org') },
      { issuer, subject, extensions: new Map([[12, exact('https://github.com/evil/app')]]) },
      { issuer, subject, extensions: new Map([[14, glob('**')]]) },
    ]
    for (const identity of wrong) {
      await expect(proveIdentity(names, [identity], openLedger())).rejects.toMatchObject({ code: 'identity_mismatch' })
    }
    await expect(proveIdentity(names, wrong, openLedger())).rejects.toMatchObject({ code: 'identity_mismatch' })
    await proveIdentity(names, [...wrong, { issuer, subject }], openLedger())
  })

  it('does not mix the issuer of one with the subject of another', async () => {
    const identities = [
      { issuer, subject: exact('dev@example.org') },
      { issuer: exact('https://accounts.example.org'), subject },
    ]
    await expect(proveIdentity(names, identities, openLedger())).rejects.toMatchObject({ code: 'identity_mismatch' })
  })

  it('with a bad pattern is pattern_malformed even when another one matches', async () => {
    const identities = [
      { issuer, subject },
      { issuer, subject: pattern('(') },
    ]
    await expect(proveIdentity(names, identities, openLedger())).rejects.toMatchObject({ code: 'pattern_malformed' })
  })

  it('must be named: an empty list is trust_missing', async () => {
    await expect(proveIdentity(names, [], openLedger())).rejects.toMatchObject({ code: 'trust_missing' })
  })
})
