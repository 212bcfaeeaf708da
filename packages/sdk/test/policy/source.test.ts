import { readFileSync } from 'node:fs'
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { nodePrimitives } from '../../src/crypto/node-primitives.ts'
import { loadPolicy } from '../../src/policy/source.ts'

const key = () => parsePublicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' }))
const guide = readFileSync(new URL('../../../../docs/guides/writing-a-policy.md', import.meta.url), 'utf8')
// Whatever the guide calls them.
const names = ['bob.pub', ...new Set([...guide.matchAll(/name: ([\w.-]+\.pub)/g)].map((match) => match[1] ?? ''))]
const options = { primitives: nodePrimitives, keys: new Map(names.map((name) => [name, key()])) }

const good = `apiVersion: countersign.dev/v1
kind: ArtifactPolicy
match:
  images: ["registry.example/**"]
identities:
  bob: { keys: [{ name: bob.pub }] }
require:
  - name: signed
    signature:
      by: bob
`

async function failure(text: string): Promise<string> {
  try {
    await loadPolicy(text, 'policy.yaml', options)
    return 'loaded'
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return `${cause.code} ${cause.message}`
  }
}

describe('a policy file', () => {
  it('is YAML or JSON', async () => {
    expect(await failure(good)).toBe('loaded')
    const { policy } = await loadPolicy(good, 'policy.yaml', options)
    expect(policy.rules[0]?.name).toBe('signed')
    const json = JSON.stringify({
      apiVersion: 'countersign.dev/v1',
      kind: 'ArtifactPolicy',
      match: { files: ['**'] },
      identities: { bob: { keys: [{ name: 'bob.pub' }] } },
      require: [{ name: 'signed', signature: { by: 'bob' } }],
    })
    expect(await failure(json)).toBe('loaded')
  })

  it.each([
    [
      'a wrong value',
      good.replace('by: bob', 'by: mallory'),
      'policy_malformed policy.yaml:10:7: $.require[0].signature.by: names no identity and no group',
    ],
    [
      'a misspelt field',
      good.replace('signature:', 'signatur:'),
      'policy_malformed policy.yaml:9:5: $.require[0]: unknown field "signatur"',
    ],
    [
      'a field that is missing',
      good.replace('kind: ArtifactPolicy\n', ''),
      'policy_malformed policy.yaml:1:1: $.kind: expected a string, found nothing',
    ],
    [
      'a key that was not given',
      good.replace('bob.pub', 'other.pub'),
      'trust_missing policy.yaml:6:17: $.identities.bob.keys[0]: the policy asks for key other.pub, which was not given',
    ],
    ['a member given twice', `${good}kind: ArtifactPolicy\n`, 'policy_malformed policy.yaml:11:1: Map keys must be unique'],
    ['no YAML', 'a: [', 'policy_malformed policy.yaml:1:5: '],
    ['another type', '- 1', 'policy_malformed policy.yaml:1:1: $: expected an object, found an array'],
    ['nothing', '', 'policy_malformed policy.yaml:1:1: $: expected an object, found null'],
    ['attack: an alias', `${good}metadata: &a { name: x }\ngroups: *a\n`, 'policy_malformed policy.yaml:11:'],
    ['attack: a tag', good.replace('by: bob', 'by: !!js/function bob'), 'policy_malformed policy.yaml:10:'],
    ['attack: a file that nests without end', `a: ${'['.repeat(100_000)}`, 'policy_malformed policy.yaml'],
    ['attack: a file that is too large', `${good}#${'x'.repeat(1024 * 1024)}`, 'policy_malformed policy.yaml: 10'],
  ])('says where %s is', async (_what, text, expected) => {
    expect((await failure(text)).slice(0, expected.length)).toBe(expected)
  })
})

describe('certificates beside a policy', () => {
  const own = good.replace('{ keys: [{ name: bob.pub }] }', '{ x509: { roots: [{ file: ca/root.pem }], subject: bob@example.com } }')

  it('are asked for by the names that the policy has for them, each once', async () => {
    const asked: string[] = []
    const readFile = async (name: string): Promise<string> => {
      asked.push(name)
      return 'no certificate'
    }
    const twice = own.replace('roots: [{ file: ca/root.pem }]', 'roots: [{ file: ca/root.pem }], intermediates: [{ file: ca/root.pem }]')
    await expect(loadPolicy(twice, 'policy.yaml', { ...options, readFile })).rejects.toMatchObject({ code: 'policy_malformed' })
    expect(asked).toEqual(['ca/root.pem'])
  })

  it('attack: are not read for who gives no reader: a policy from elsewhere reads no files', async () => {
    expect(await failure(own)).toContain('trust_missing')
  })
})

describe('docs/guides/writing-a-policy.md', () => {
  const blocks = [...guide.matchAll(/```yaml(?: [\w.-]+)?\n([^`]*)```/g)]
    .map((match) => match[1] ?? '')
    .filter((block) => !block.includes('kind: PolicyCases'))

  it('shows a policy that loads, also with the mirrors and revocations that it shows', async () => {
    const [whole = '', own = '', mirrors = '', revocations = '', more] = blocks
    expect(more).toBeUndefined()
    expect(await failure(whole)).toBe('loaded')
    expect(await failure([whole, mirrors, revocations].join(''))).toBe('loaded')
    const head = 'apiVersion: countersign.dev/v1\nkind: ArtifactPolicy\nmatch: { images: ["**"] }\n'
    // Well formed: what it lacks are the certificates, which are nobody's.
    expect(await failure(`${head}${own}require: [{ name: signed, signature: { by: alice } }]\n`)).toContain('asks for acme-root.pem')
  })
})
