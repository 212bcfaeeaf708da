import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import type { ProvenItem } from '../../src/policy/proven.ts'
import { certified, compiled, judge, proven, sha256, somebody, type Somebody, recorded } from './fixture.ts'

const people: Somebody[] = await Promise.all(['alice', 'bob', 'carol', 'dave'].map(somebody))
const [alice, bob, carol, dave] = people as [Somebody, Somebody, Somebody, Somebody]

const identities = {
  alice: { keys: [alice.pem], person: 'alice', roles: ['security'] },
  bob: { keys: [bob.pem], person: 'bob', roles: ['release'] },
  carol: { keys: [carol.pem], person: 'carol', roles: ['release', 'security'] },
  alice2: { keys: [dave.pem], person: 'alice', roles: ['release'] },
}

async function decide(by: JsonValue, evidence: readonly ProvenItem[], more: { readonly [name: string]: JsonValue } = {}): Promise<string> {
  const policy = await compiled({ identities: { ...identities, ...more }, require: [{ name: 'signed', signature: { by } }] })
  return recorded(policy, evidence).decision
}

const [a, b, c, d] = (await Promise.all(people.map(({ signer }) => proven(signer)))) as [ProvenItem, ProvenItem, ProvenItem, ProvenItem]
const twoOfThree = { threshold: 2, of: ['alice', 'bob', 'carol'] }

describe('a quorum of two of three', () => {
  it.each([
    ['nobody', [], 'deny'],
    ['alice', [a], 'deny'],
    ['alice and bob', [a, b], 'allow'],
    ['alice and carol', [a, c], 'allow'],
    ['bob and carol', [b, c], 'allow'],
    ['all three', [a, b, c], 'allow'],
    ['alice and somebody else', [a, d], 'deny'],
  ] as const)('signed by %s', async (_who, evidence, decision) => {
    expect(await decide(twoOfThree, evidence)).toBe(decision)
  })

  it('attack: the same key in two envelopes counts once', async () => {
    const again = await proven(alice.signer, { content: 'message', source: 'sha256:other' })
    expect(await decide(twoOfThree, [a, again])).toBe('deny')
  })

  it('attack: the same key under another label counts once', async () => {
    const relabelled = await proven({ ...alice.signer, label: 'bob' } as typeof alice.signer, { content: 'message' })
    expect(await decide(twoOfThree, [a, relabelled])).toBe('deny')
  })

  it('attack: one key under two identities of the policy counts once', async () => {
    expect(await decide({ threshold: 2, of: ['alice', 'again'] }, [a], { again: { keys: [alice.pem] } })).toBe('deny')
  })

  it('counts bundles and legacy signatures and certificates alike', async () => {
    const legacy = await proven(alice.signer, { content: 'message' })
    const keyless = await proven(certified('ci@example.com'), { logged: true })
    const ci = { certificate: { issuer: 'https://issuer.example', subject: 'ci@example.com' } }
    expect(await decide({ threshold: 2, of: ['alice', 'ci'] }, [legacy, keyless], { ci })).toBe('allow')
  })

  it('two keys of one identity, as during a rotation, count once', async () => {
    const team = { keys: [alice.pem, bob.pem] }
    expect(await decide({ threshold: 2, of: ['team', 'carol'] }, [a, b], { team })).toBe('deny')
    expect(await decide({ threshold: 2, of: ['team', 'carol'] }, [a, c], { team })).toBe('allow')
  })

  it('says who counted and how many are needed', async () => {
    const policy = await compiled({ identities, require: [{ name: 'signed', signature: { by: twoOfThree } }] })
    const [rule] = recorded(policy, [a]).rules
    expect(rule).toMatchObject({
      outcome: 'failed',
      quorum: { signers: [a.signer], needed: 2 },
      wanted: 'a signature by 2 of (alice, bob, carol)',
    })
  })
})

describe('a pattern in a quorum', () => {
  const staff = { certificate: { issuer: 'https://issuer.example', subject: { glob: '*@example.com' } } }

  it('stands for as many distinct signers as fit it', async () => {
    const [one, two] = [await proven(certified('one@example.com')), await proven(certified('two@example.com'))]
    expect(await decide({ threshold: 2, of: ['staff'] }, [one, two], { staff })).toBe('allow')
    expect(await decide({ threshold: 2, of: ['staff'] }, [one], { staff })).toBe('deny')
  })

  it('stands for several signers beside a name that is one', async () => {
    const by = { threshold: 3, of: ['alice', 'staff'] }
    const two = [await proven(certified('one@example.com')), await proven(certified('two@example.com'))]
    expect(await decide(by, [a, ...two], { staff })).toBe('allow')
    expect(await decide(by, two, { staff })).toBe('deny')
  })

  it('attack: two certificates of one person count once', async () => {
    const again = await proven(certified('one@example.com'), { content: 'message' })
    expect(await decide({ threshold: 2, of: ['staff'] }, [await proven(certified('one@example.com')), again], { staff })).toBe('deny')
  })

  it('leaves a signer for the place that only they fit', async () => {
    const chief = { certificate: { issuer: 'https://issuer.example', subject: 'chief@example.com' } }
    const evidence = [await proven(certified('chief@example.com')), await proven(certified('zoe@example.com'))]
    expect(await decide({ allOf: ['staff', 'chief'] }, evidence, { staff, chief })).toBe('allow')
    expect(await decide({ allOf: ['staff', 'chief'] }, evidence.slice(0, 1), { staff, chief })).toBe('deny')
  })
})

describe('distinct by person', () => {
  const byPerson = { threshold: 2, of: ['alice', 'alice2', 'bob'], distinct: 'person' }

  it.each([
    ['two keys of alice', [a, d], 'deny'],
    ['alice and bob', [a, b], 'allow'],
    ["alice's second key and bob", [d, b], 'allow'],
  ] as const)('%s', async (_who, evidence, decision) => {
    expect(await decide(byPerson, evidence)).toBe(decision)
  })

  it('counts two keys of a person twice where only identities must differ', async () => {
    expect(await decide({ threshold: 2, of: ['alice', 'alice2'] }, [a, d])).toBe('allow')
  })

  it('takes certificates of different names for different people where nobody says whose they are', async () => {
    const named = (subject: string): JsonValue => ({ certificate: { issuer: 'https://issuer.example', subject } })
    const more = { ci: named('ci@example.com'), release: named('release@example.com') }
    const both = [await proven(certified('ci@example.com')), await proven(certified('release@example.com'))]
    expect(await decide({ allOf: ['ci', 'release'], distinct: 'person' }, both, more)).toBe('allow')
  })

  it('attack: two keys of one person fill two groups that have other members too', async () => {
    const of = [{ allOf: ['alice', 'bob'] }, { allOf: ['alice2', 'carol'] }]
    expect(await decide({ threshold: 2, of, distinct: 'person' }, [a, b, c, d])).toBe('deny')
    expect(await decide({ threshold: 2, of }, [a, b, c, d])).toBe('allow')
  })

  it('attack: holds through nested groups', async () => {
    const nested = { threshold: 2, of: [{ anyOf: ['alice', 'carol'] }, { anyOf: ['alice2', 'bob'] }], distinct: 'person' }
    expect(await decide(nested, [a, d])).toBe('deny')
    expect(await decide(nested, [c, d])).toBe('allow')
  })
})

describe('role separation', () => {
  it.each([
    ['release alone', [b], 'deny'],
    ['security and release', [a, b], 'allow'],
    ['one person with both roles', [c], 'deny'],
    ['carol fills the role that bob does not', [b, c], 'allow'],
    ['one person with two keys', [a, d], 'deny'],
    ['two people of one role', [b, d], 'deny'],
  ] as const)('of two different roles: %s', async (_who, evidence, decision) => {
    expect(await decide({ threshold: 2, of: ['alice', 'bob', 'carol', 'alice2'], distinct: 'role' }, evidence)).toBe(decision)
  })

  it('demands the roles that it names', async () => {
    const by = { threshold: 2, of: ['bob', 'alice2', 'carol'], distinct: 'person', roles: ['security'] }
    expect(await decide(by, [b, d])).toBe('deny')
    expect(await decide(by, [b, c])).toBe('allow')
  })

  it('demands the roles of a group inside another of its own signers', async () => {
    const by = { allOf: ['alice', { anyOf: ['bob', 'carol'], roles: ['security'] }] }
    expect(await decide(by, [a, b])).toBe('deny')
    expect(await decide(by, [a, c])).toBe('allow')
  })

  it('that nobody can fill is denied without trying every way', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `s${i}`)
    const subject = (name: string): string => `${name}@example.com`
    const more = Object.fromEntries(
      names.map((name) => [name, { certificate: { issuer: 'https://issuer.example', subject: subject(name) } }]),
    )
    const by = { allOf: names, roles: ['security'] }
    const policy = await compiled({ identities: more, require: [{ name: 'signed', signature: { by } }] })
    const evidence = await Promise.all(names.map((name) => proven(certified(subject(name)))))
    expect(judge(policy, evidence)).toMatchObject({ decision: 'deny', code: 'policy_denied' })
  })
})

describe('nested groups', () => {
  it('count as one member each', async () => {
    const by = { threshold: 2, of: [{ threshold: 2, of: ['alice', 'bob'] }, 'carol'] }
    expect(await decide(by, [a, b])).toBe('deny')
    expect(await decide(by, [a, c])).toBe('deny')
    expect(await decide(by, [a, b, c])).toBe('allow')
  })

  it('attack: a signer fills one place of the whole tree', async () => {
    expect(await decide({ allOf: [{ anyOf: ['alice', 'bob'] }, { anyOf: ['alice', 'carol'] }] }, [a])).toBe('deny')
    expect(await decide({ allOf: [{ anyOf: ['alice', 'bob'] }, { anyOf: ['alice', 'carol'] }] }, [a, b])).toBe('allow')
  })

  it('attack: two keys of one identity fill one place of the whole tree', async () => {
    const team = { keys: [alice.pem, bob.pem] }
    expect(await decide({ allOf: [{ anyOf: ['team'] }, { anyOf: ['team'] }] }, [a, b], { team })).toBe('deny')
    expect(await decide({ allOf: [{ anyOf: ['team'] }, { anyOf: ['team', 'carol'] }] }, [a, c], { team })).toBe('allow')
  })

  it('that cannot be filled are denied, also where there are too many ways to tell how much of them is', async () => {
    const subjects = Array.from({ length: 24 }, (_, i) => `${i < 9 ? 'few' : 'many'}${i}@example.com`)
    const glob = (text: string): JsonValue => ({ certificate: { issuer: 'https://issuer.example', subject: { glob: text } } })
    const places = Array.from({ length: 22 }, (_, i) => ({ anyOf: [i < 10 ? 'few' : 'many'] }))
    const more = { few: glob('few*'), many: glob('many*') }
    const evidence = await Promise.all(subjects.map((subject) => proven(certified(subject))))
    const judged = async (by: JsonValue): Promise<unknown> =>
      judge(await compiled({ identities: { ...identities, ...more }, require: [{ name: 'signed', signature: { by } }] }), evidence)
    expect(await judged({ allOf: places })).toMatchObject({ decision: 'deny', code: 'limit_exceeded' })
    expect(await judged({ allOf: [...places, 'alice'] })).toMatchObject({
      decision: 'deny',
      code: 'policy_denied',
      rules: [{ quorum: { signers: [], needed: 23 } }],
    })
  })

  it('ends where there are too many ways, and could not tell', async () => {
    const names = Array.from({ length: 24 }, (_, i) => `s${i}`)
    const glob = (text: string): JsonValue => ({ certificate: { issuer: 'https://issuer.example', subject: { glob: text } } })
    const more = Object.fromEntries(names.map((name) => [name, glob('*@example.com')]))
    const evidence = await Promise.all(names.map((name) => proven(certified(`${name}@example.com`))))
    const of = [...names.map((name) => ({ anyOf: [name] })), 'alice']
    const policy = await compiled({
      identities: { ...identities, ...more },
      require: [{ name: 'signed', signature: { by: { threshold: 25, of } } }],
    })
    expect(recorded(policy, evidence)).toMatchObject({ decision: 'deny' })
    const roles = { threshold: 24, of: names.map((name) => ({ anyOf: [name] })), roles: ['nobody-has-it'] }
    const open = await compiled({ identities: { ...more }, require: [{ name: 'signed', signature: { by: roles } }] })
    expect(recorded(open, evidence)).toMatchObject({ decision: 'deny', code: 'limit_exceeded' })
  })
})

describe('over all evidence and groups', () => {
  const names = fc.constantFrom<JsonValue>('alice', 'bob', 'carol', 'alice2')
  const groupOf = (member: fc.Arbitrary<JsonValue>, minLength: number): fc.Arbitrary<JsonValue> =>
    fc
      .tuple(fc.array(member, { minLength, maxLength: 4 }), fc.nat(3), fc.constantFrom('identity', 'person', 'role'))
      .map(([of, k, distinct]) => ({ threshold: 1 + (k % of.length), of, distinct }))
  const parties = groupOf(fc.oneof({ weight: 3, arbitrary: names }, { weight: 2, arbitrary: groupOf(names, 1) }), 2)
  const everybody = [a, b, c, d]
  const subsets = fc.subarray(everybody)

  it('adding a signature never turns allow into deny, order decides nothing, a duplicate changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(parties, subsets, fc.constantFrom(a, b, c, d), async (by, evidence, extra) => {
        const policy = await compiled({ identities, require: [{ name: 'signed', signature: { by } }] })
        const before = judge(policy, evidence)
        expect(judge(policy, evidence.toReversed())).toEqual(before)
        expect(judge(policy, [...evidence, ...evidence])).toEqual(before)
        const more = judge(policy, [extra, ...evidence]).decision
        expect([before.decision, more]).not.toEqual(['allow', 'deny'])
        expect(judge(policy, []).decision).toBe('deny')
      }),
      { numRuns: 300 },
    )
  })

  it('is what trying every choice of distinct signers finds, whoever of them signed', async () => {
    const signed = Array.from({ length: 16 }, (_, bits) => everybody.filter((_item, index) => (bits >> index) % 2 === 1))
    await fc.assert(
      fc.asyncProperty(parties, async (by) => {
        const policy = await compiled({ identities, require: [{ name: 'signed', signature: { by } }] })
        const all = ways(by, '')
        const told = signed.map((evidence) => {
          const by = evidence.map((item) => ['alice', 'bob', 'carol', 'alice2'][everybody.indexOf(item)] ?? '')
          return [by.join(), judge(policy, evidence).decision, all.some((uses) => isFilled(uses, by)) ? 'allow' : 'deny'] as const
        })
        expect(told.filter(([, found, expected]) => found !== expected)).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})

type OracleUse = { readonly name: string; readonly claims: readonly string[] }

/** Every way in which a party can be filled: for each choice of members, each leaf with each role that it may play. */
function ways(party: JsonValue, path: string): readonly (readonly OracleUse[])[] {
  if (typeof party === 'string') return [[{ name: party, claims: [] }]]
  const { threshold, of, distinct } = party as { threshold: number; of: readonly JsonValue[]; distinct: string }
  const choices = of.reduce<readonly (readonly number[])[]>((sets, _each, index) => [...sets, ...sets.map((set) => [...set, index])], [[]])
  return choices
    .filter((set) => set.length === threshold)
    .flatMap((set) =>
      set
        .map((index) => ways(of[index] ?? '', `${path}/${index}`))
        .reduce<readonly (readonly OracleUse[])[]>((all, next) => all.flatMap((uses) => next.map((more) => [...uses, ...more])), [[]]),
    )
    .flatMap((uses) => claimed(uses, path, distinct))
}

function claimed(uses: readonly OracleUse[], path: string, distinct: string): readonly (readonly OracleUse[])[] {
  const told = identities as Record<string, { person: string; roles: readonly string[] }>
  return uses.reduce<readonly (readonly OracleUse[])[]>(
    (all, { name, claims }) => {
      const person = `${path} person ${told[name]?.person}`
      const options =
        distinct === 'identity'
          ? [claims]
          : distinct === 'person'
            ? [[...claims, person]]
            : (told[name]?.roles ?? []).map((role) => [...claims, person, `${path} role ${role}`])
      return all.flatMap((before) => options.map((option) => [...before, { name, claims: option }]))
    },
    [[]],
  )
}

function isFilled(uses: readonly OracleUse[], names: readonly string[]): boolean {
  const all = uses.flatMap(({ name, claims }) => [name, ...claims])
  return new Set(all).size === all.length && uses.every(({ name }) => names.includes(name))
}

describe('a key and a certificate for it', () => {
  const ci = { certificate: { issuer: 'https://issuer.example', subject: 'ci@example.com' } }
  const sameKey = async (): Promise<ProvenItem> =>
    proven(certified('ci@example.com', 'https://issuer.example', {}, alice.signer.fingerprint))

  it('attack: count once, whichever of the two identities each is', async () => {
    expect(await decide({ allOf: ['alice', 'ci'] }, [a, await sameKey()], { ci })).toBe('deny')
    expect(await decide({ allOf: ['alice', 'ci'] }, [await sameKey()], { ci })).toBe('deny')
    expect(await decide({ allOf: ['alice', 'ci'] }, [a, await proven(certified('ci@example.com'))], { ci })).toBe('allow')
  })

  it('a signature with the certificate is one by the key', async () => {
    expect(await decide('alice', [await sameKey()], { ci })).toBe('allow')
  })

  it('attack: one identity with several short-lived certificates counts once, and needs no long search', async () => {
    const staff = { certificate: { issuer: 'https://issuer.example', subject: { glob: '*@example.com' } } }
    const many = await Promise.all(
      Array.from({ length: 1500 }, async (_, i) =>
        proven(certified('one@example.com', 'https://issuer.example', {}, sha256(Uint8Array.of(i >> 8, i & 255))), { predicate: { i } }),
      ),
    )
    const policy = await compiled({ identities: { staff }, require: [{ name: 's', signature: { by: { threshold: 3, of: ['staff'] } } }] })
    expect(recorded(policy, many)).toMatchObject({ decision: 'deny', code: 'policy_denied' })
  })

  it('a signature that links two signers does not make them one', async () => {
    const two = { allOf: ['alice', 'ci'] }
    const other = await proven(certified('ci@example.com'))
    expect(await decide(two, [a, other], { ci })).toBe('allow')
    expect(await decide(two, [a, other, await sameKey()], { ci })).toBe('allow')
  })
})
