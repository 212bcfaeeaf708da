import { describe, expect, it } from 'vitest'
import { base64ToBytes } from '../../src/base64.ts'
import { fromUtf8 } from '../../src/bytes.ts'
import type { JsonObject, JsonValue } from '../../src/json/parse.ts'
import { exportKinds, exportPolicy, type ExportOptions } from '../../src/policy-exchange/export.ts'
import type { ForeignKind } from '../../src/policy-exchange/import.ts'
import { compiled, somebody } from '../policy/fixture.ts'

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const issuer = 'https://i.example'
const everything = { images: ['registry.example/**'] }

async function losses(
  kind: ForeignKind,
  parts: { readonly [name: string]: JsonValue },
  options: ExportOptions = {},
): Promise<readonly string[]> {
  return exportPolicy(await compiled(parts), kind, options).losses.map(({ effect, path }) => `${effect} ${path}`)
}

async function documentsOf(
  kind: ForeignKind,
  parts: { readonly [name: string]: JsonValue },
  options: ExportOptions = {},
): Promise<readonly JsonObject[]> {
  const { content } = exportPolicy(await compiled(parts), kind, options)
  return content.form === 'shell' ? [] : content.documents
}

async function linesOf(parts: { readonly [name: string]: JsonValue }, options: ExportOptions = {}): Promise<readonly string[]> {
  const { content } = exportPolicy(await compiled(parts), 'cosign', options)
  return content.form === 'shell' ? content.lines : []
}

const keyed = { identities: { alice: { keys: [alice.pem], person: 'p' }, bob: { keys: [bob.pem], person: 'p' } } }
const signed = (more: JsonObject = {}): JsonObject => ({ name: 'signed', signature: { by: 'alice', ...more } })
const attested = (more: JsonObject = {}): JsonObject => ({ name: 'attested', attestation: { type: 'vuln', by: 'alice', ...more } })

describe('what no other tool can say', () => {
  const cases: readonly [string, { readonly [name: string]: JsonValue }, string][] = [
    ['lists of revocations', { ...keyed, revocations: [{ name: 'a', keys: [board.pem] }], require: [signed()] }, 'weaker $.revocations[0]'],
    ['media types', { ...keyed, match: { ...everything, mediaTypes: ['x/y'] }, require: [signed()] }, 'weaker $.match.mediaTypes'],
    ['platforms', { ...keyed, require: [signed(), { name: 'p', platforms: ['linux/amd64'] }] }, 'weaker $.require[1]'],
    ['moments before', { ...keyed, require: [signed({ before: '2026-01-01T00:00:00Z' })] }, 'weaker $.require[0].signature.before'],
    ['moments after', { ...keyed, require: [signed({ after: '2026-01-01T00:00:00Z' })] }, 'weaker $.require[0].signature.after'],
    ['ages', { ...keyed, require: [signed({ maxAge: '1d' })] }, 'weaker $.require[0].signature.maxAge'],
    ['proven times of keys', { ...keyed, require: [signed({ time: 'required' })] }, 'weaker $.require[0].signature.time'],
    ['expiry', { ...keyed, require: [signed({ expires: 'required' })] }, 'weaker $.require[0].signature.expires'],
    ['lifetimes', { ...keyed, require: [signed({ maxLifetime: '1d' })] }, 'weaker $.require[0].signature.maxLifetime'],
    ['the newest alone', { ...keyed, require: [attested({ newest: true })] }, 'weaker $.require[0].attestation.newest'],
    [
      'people',
      { ...keyed, require: [{ name: 'x', signature: { by: { threshold: 2, of: ['alice', 'bob'], distinct: 'person' } } }] },
      'weaker $.require[0].signature.by',
    ],
    [
      'roles',
      {
        identities: { alice: { keys: [alice.pem], person: 'a', roles: ['r'] } },
        require: [{ name: 'x', signature: { by: { anyOf: ['alice'], roles: ['r'] } } }],
      },
      'weaker $.require[0].signature.by',
    ],
    [
      'that one signer fills one place',
      {
        identities: {
          any: { certificate: { issuer, subject: { glob: 'https://a/*' } } },
          some: { certificate: { issuer, subject: { glob: 'https://a/b*' } } },
        },
        require: [{ name: 'x', signature: { by: { allOf: ['any', 'some'] } } }],
      },
      'weaker $.require[0].signature.by',
    ],
    [
      'that several signers fit one pattern',
      {
        identities: { any: { certificate: { issuer, subject: { glob: 'https://a/*' } } } },
        require: [{ name: 'x', signature: { by: { threshold: 2, of: ['any'] } } }],
      },
      'weaker $.require[0].signature.by',
    ],
    [
      'windows of keys',
      { identities: { alice: { keys: [{ pem: alice.pem, validUntil: '2030-01-01T00:00:00Z' }] } }, require: [signed()] },
      'weaker $.identities.alice.keys[0]',
    ],
    [
      'windows of certificates',
      {
        identities: { alice: { certificate: { issuer, subject: 'dev@a.example', validUntil: '2030-01-01T00:00:00Z' } } },
        require: [signed()],
      },
      'weaker $.identities.alice',
    ],
    ['rules that refuse nothing', { ...keyed, require: [{ ...signed(), onMissing: 'allow', onFail: 'allow' }] }, 'stricter $.require[0]'],
    [
      'what is missing apart from what fails',
      { ...keyed, require: [{ ...signed(), onMissing: 'warn' }] },
      'stricter $.require[0].onMissing',
    ],
  ]

  it.each(cases.flatMap(([what, parts, loss]) => exportKinds.map((kind) => [what, kind, parts, loss] as const)))(
    'is never dropped in silence: %s, for %s',
    async (_what, kind, parts, loss) => {
      expect(await losses(kind, parts)).toContain(loss)
    },
  )

  it.each<[string, ForeignKind, { readonly [name: string]: JsonValue }, string]>([
    [
      'a condition',
      'kyverno',
      { ...keyed, require: [attested({ condition: 'size(predicate.x) > 1' })] },
      'weaker $.require[0].attestation.condition',
    ],
    [
      'a condition',
      'cluster-image-policy',
      { ...keyed, require: [attested({ condition: 'predicate.x == 1' })] },
      'weaker $.require[0].attestation.condition',
    ],
    [
      'a condition',
      'cosign',
      { ...keyed, require: [attested({ condition: 'predicate.x == 1' })] },
      'weaker $.require[0].attestation.condition',
    ],
    [
      'a condition over the artifact',
      'kyverno-ivp',
      { ...keyed, require: [attested({ condition: 'artifact.tag == "x"' })] },
      'weaker $.require[0].attestation.condition',
    ],
    ['an attestation', 'containers-policy', { ...keyed, require: [attested()] }, 'weaker $.require[0].attestation'],
    ['an attestation', 'notary-trust-policy', { ...keyed, require: [attested()] }, 'weaker $.require[0].attestation'],
    [
      'annotations',
      'cluster-image-policy',
      { ...keyed, require: [signed({ annotations: { a: 'b' } })] },
      'weaker $.require[0].signature.annotations',
    ],
    [
      'annotations',
      'containers-policy',
      { ...keyed, require: [signed({ annotations: { a: 'b' } })] },
      'weaker $.require[0].signature.annotations',
    ],
    ['a bound name', 'kyverno', { ...keyed, require: [signed({ boundName: 'required' })] }, 'weaker $.require[0].signature.boundName'],
    ['a log entry', 'containers-policy', { ...keyed, require: [signed({ logged: true })] }, 'weaker $.require[0].signature.logged'],
    [
      'a star that ends at a slash',
      'kyverno',
      { ...keyed, match: { images: ['registry.example/*'] }, require: [signed()] },
      'weaker $.require[0]',
    ],
    [
      'a name without star',
      'cluster-image-policy',
      { ...keyed, match: { images: ['registry.example/app'] }, require: [signed()] },
      'weaker $.require[0]',
    ],
    [
      'a tag',
      'cluster-image-policy',
      { ...keyed, match: { images: ['registry.example/app:v1'] }, require: [signed()] },
      'weaker $.require[0]',
    ],
    ['a glob', 'notary-trust-policy', { ...keyed, require: [signed()] }, 'stricter $.require[0]'],
    [
      'a glob in the middle',
      'containers-policy',
      { ...keyed, match: { images: ['registry.example/*/app'] }, require: [signed()] },
      'stricter $.require[0]',
    ],
    [
      'a key',
      'notary-trust-policy',
      { ...keyed, match: { images: ['registry.example/app'] }, require: [signed()] },
      'stricter $.require[0].signature.by',
    ],
    [
      'either of two',
      'cosign',
      { ...keyed, require: [{ name: 'x', signature: { by: { anyOf: ['alice', 'bob'] } } }] },
      'stricter $.require[0].signature.by',
    ],
    [
      'a warning',
      'containers-policy',
      { ...keyed, require: [{ ...signed(), onMissing: 'warn', onFail: 'warn' }] },
      'stricter $.require[0]',
    ],
  ])('is never dropped in silence: %s, for %s', async (_what, kind, parts, loss) => {
    expect(await losses(kind, parts)).toContain(loss)
  })

  it.each(['kyverno', 'kyverno-ivp', 'cluster-image-policy', 'cosign'] as const)(
    'is never dropped in silence: an extension, for %s',
    async (kind) => {
      const certificate = { issuer, subject: 'https://w', extensions: { runnerEnvironment: 'github-hosted' } }
      const found = await losses(kind, { identities: { ci: { certificate } }, require: [{ name: 'x', signature: { by: 'ci' } }] })
      expect(found).toContain('weaker $.identities.ci.certificate.extensions.runnerEnvironment')
    },
  )
})

describe('policy.json', () => {
  const below = { match: { images: ['registry.example/a', 'registry.example/a/**'] } }
  const files = { rekorPublicKey: '/etc/rekor.pub', fulcioCa: '/etc/fulcio.pem' }

  it('names the keys, of several any one, and refuses all other images', async () => {
    const [document] = await documentsOf('containers-policy', {
      ...keyed,
      ...below,
      require: [{ name: 'x', signature: { by: { anyOf: ['alice', 'bob'] }, boundName: 'required' } }],
    })
    expect(document).toMatchObject({
      default: [{ type: 'reject' }],
      transports: { docker: { 'registry.example/a': [{ type: 'sigstoreSigned', signedIdentity: { type: 'matchRepository' } }] } },
    })
    const requirement = JSON.parse(JSON.stringify(document)) as { transports: { docker: Record<string, { keyDatas: string[] }[]> } }
    const datas = requirement.transports.docker['registry.example/a']?.[0]?.keyDatas ?? []
    expect(datas.map((data) => fromUtf8(base64ToBytes(data)))).toEqual([alice.pem, bob.pem])
  })

  it('names a certificate of Fulcio by its mail address', async () => {
    const parts = {
      ...below,
      identities: { dev: { certificate: { issuer, subject: 'dev@a.example' } } },
      require: [{ name: 'x', signature: { by: 'dev', boundName: 'required' } }],
    }
    expect(await losses('containers-policy', parts, files)).toEqual([])
    expect(await documentsOf('containers-policy', parts, files)).toMatchObject([
      {
        transports: {
          docker: {
            'registry.example/a': [
              {
                fulcio: { caPath: '/etc/fulcio.pem', oidcIssuer: issuer, subjectEmail: 'dev@a.example' },
                rekorPublicKeyPath: '/etc/rekor.pub',
              },
            ],
          },
        },
      },
    ])
  })

  it('attack: refuses images whose signers it cannot name, in place of accepting them', async () => {
    const parts = {
      ...below,
      identities: { ci: { certificate: { issuer, subject: 'https://github.com/a/b' } } },
      require: [{ name: 'x', signature: { by: 'ci' } }],
    }
    expect(await documentsOf('containers-policy', parts, files)).toMatchObject([
      { transports: { docker: { 'registry.example/a': [{ type: 'reject' }] } } },
    ])
  })

  it('repeats for a scope what a wider one demands, since the most specific alone decides there', async () => {
    const match = { images: ['registry.example/a', 'registry.example/a/**', 'registry.example/a/b', 'registry.example/a/b/**'] }
    const inner = { images: ['registry.example/a/b', 'registry.example/a/b/**'] }
    const [document] = await documentsOf('containers-policy', {
      ...keyed,
      match,
      require: [signed(), { name: 'y', match: inner, signature: { by: 'bob' } }],
    })
    const { docker } = (document as unknown as { transports: { docker: Record<string, unknown[]> } }).transports
    expect([docker['registry.example/a']?.length, docker['registry.example/a/b']?.length]).toEqual([1, 2])
  })
})

describe('command lines of cosign', () => {
  it('are one for each clause, with everything that cosign can check', async () => {
    const parts = {
      identities: {
        ...keyed.identities,
        ci: { certificate: { issuer, subject: { glob: 'https://ci.example/*' }, extensions: { githubWorkflowTrigger: 'push' } } },
      },
      require: [
        { name: 'x', signature: { by: { allOf: ['alice', 'ci'] }, annotations: { env: 'prod' } } },
        { name: 'y', attestation: { type: 'spdxjson', by: 'bob', logged: true } },
      ],
    }
    expect(await linesOf(parts, { image: 'registry.example/app:1' })).toEqual([
      'cosign verify --key alice.pub --insecure-ignore-tlog -a env=prod registry.example/app:1',
      String.raw`cosign verify --certificate-identity-regexp '^https://ci\.example/[^/]*$' --certificate-oidc-issuer https://i.example --certificate-github-workflow-trigger push -a env=prod registry.example/app:1`,
      'cosign verify-attestation --type https://spdx.dev/Document --key bob.pub registry.example/app:1',
    ])
  })

  it('attack: what stands in a policy, or is given for the image, is no command', async () => {
    const [line] = await linesOf({ ...keyed, require: [signed({ annotations: { "a'; rm -rf x; '": '$(id)' } })] }, { image: 'x; id' })
    expect(line).toBe(String.raw`cosign verify --key alice.pub --insecure-ignore-tlog -a 'a'\''; rm -rf x; '\''=$(id)' 'x; id'`)
  })
})
