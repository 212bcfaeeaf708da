import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/bytes.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import { formatVerifierKey, verifierKey } from '../../src/note/verifier-key.ts'
import { parseWitnessPolicy, satisfies } from '../../src/note/witness-policy.ts'
import { webPrimitives } from '../../src/web-primitives.ts'

const primitives = webPrimitives(crypto.subtle)

async function newKey(kind: 'log' | 'witness', name: string): Promise<string> {
  const spki = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' })
  return formatVerifierKey(await verifierKey(primitives, kind, name, parsePublicKey(new Uint8Array(spki))))
}

const [logKey, witnessKey] = [await newKey('log', 'log.example'), await newKey('witness', 'w.example')]
const read = (text: string): ReturnType<typeof parseWitnessPolicy> => parseWitnessPolicy(primitives, utf8(text))
const failsWith = (message: string): unknown =>
  expect.objectContaining({ code: 'policy_malformed', message: expect.stringContaining(message) as string })

describe('a policy of witnesses', () => {
  it('counts witnesses in groups of groups', async () => {
    const { logs, witnesses, quorum } = await read(`# ours
log ${logKey} https://log.example/
witness a ${witnessKey} https://a.example/
  witness b ${witnessKey}
witness c ${witnessKey}\thttps://c.example/

group one any a b
group both all one c
quorum both
`)
    expect(logs.map(({ name }) => name)).toEqual(['log.example'])
    expect(witnesses.map(({ name, url }) => [name, url])).toEqual([
      ['a', 'https://a.example/'],
      ['b', undefined],
      ['c', 'https://c.example/'],
    ])
    const held = (...names: readonly string[]): boolean => satisfies(quorum, (name) => names.includes(name))
    expect([held('a', 'c'), held('b', 'c'), held('a', 'b'), held('c'), held()]).toEqual([true, true, false, false, false])
  })

  it('may be none, one witness, or so many of several', async () => {
    expect(satisfies((await read('quorum none\n')).quorum, () => false)).toBe(true)
    const { quorum } = await read(`witness a ${witnessKey}\nquorum a\n`)
    expect([satisfies(quorum, () => true), satisfies(quorum, () => false)]).toEqual([true, false])
    const two = (await read(`witness a ${witnessKey}\nwitness b ${witnessKey}\nwitness c ${witnessKey}\ngroup g 2 a b c\nquorum g`)).quorum
    expect(satisfies(two, (name) => name === 'a')).toBe(false)
    expect(satisfies(two, (name) => name !== 'a')).toBe(true)
  })

  it('is refused with its line where it is not one', async () => {
    const a = `witness a ${witnessKey}\n`
    for (const [text, message] of [
      ['', 'no quorum'],
      [a, 'no quorum'],
      [`${a}quorum b\n`, 'line 2'],
      [`${a}${a}quorum a\n`, 'a is a name already'],
      [`${a}quorum a\nquorum a\n`, 'a second quorum'],
      [`${a}group g 2 a\nquorum g`, '2 of 1'],
      [`${a}group g 0 a\nquorum g`, '0 of 1'],
      [`${a}group g 01 a\nquorum g`, '01 of 1'],
      [`${a}group g all\nquorum g`, 'line 2'],
      [`${a}group g any a\ngroup h any a\nquorum h`, 'in a group already'],
      [`${a}group g any a a\nquorum g`, 'in a group already'],
      [`group g any g\nquorum g`, 'not defined before'],
      [`${a}group none any a\nquorum none`, 'none is a name already'],
      [`witness a ${logKey}\nquorum a`, 'key of a log'],
      ['witnes a b\n', 'line 1'],
      [`${a}quorum a b\n`, 'line 2'],
      ['#'.repeat(70_000), '70000 bytes'],
      ['\n'.repeat(2000), 'too many lines'],
    ] as const)
      await expect(read(text)).rejects.toThrow(failsWith(message))
    await expect(read('witness a x\nquorum a')).rejects.toMatchObject({ code: 'key_malformed' })
  })
})
