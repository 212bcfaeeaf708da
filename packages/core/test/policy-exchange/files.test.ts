import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { utf8 } from '../../src/bytes.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { importCosign } from '../../src/policy-exchange/import.ts'
import { words } from '../../src/policy-exchange/from-cosign.ts'
import { fromSearch } from '../../src/policy-exchange/names.ts'
import { certified, now, proven, somebody } from '../policy/fixture.ts'
import { compileDocument, decide, imported, indented } from './exchange.ts'

const [alice, bob] = [await somebody('alice'), await somebody('bob')]
const issuer = 'https://token.actions.githubusercontent.com'
const subject = 'https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main'

describe('a ClusterImagePolicy', () => {
  const policy = (authorities: string, spec = ''): string => `
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: { name: acme }
spec:
  images: [{ glob: "registry.example/acme/*" }]
${spec}
  authorities:
${authorities}`
  const key = (pem: string): string => `    - key:
        data: |
          ${indented(pem, 10)}`
  const config = '\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: config-policy-controller }\ndata: { no-match-policy: deny }\n'

  it('accepts what any one of its authorities signed', async () => {
    const text = policy(`${key(alice.pem)}\n${key(bob.pem)}`) + config
    expect((await imported(text)).losses).toEqual([])
    expect(await decide(text, [proven(bob.signer)])).toBe('allow')
    expect(await decide(text, [])).toBe('deny')
    expect(await decide(text, [proven(bob.signer)], 'registry.example/acme/deep/app:1')).toBe('deny')
  })

  it('demands what every policy demands that speaks of an image', async () => {
    const text = `${policy(key(alice.pem))}\n---${policy(key(bob.pem)).replace('name: acme', 'name: second')}${config}`
    expect(await decide(text, [proven(bob.signer)])).toBe('deny')
    expect(await decide(text, [proven(bob.signer), proven(alice.signer)])).toBe('allow')
  })

  it('demands a log entry of a key where it names a log, and a proven time in place of it where it names timestamps', async () => {
    const logged = policy(`${key(alice.pem)}\n      ctlog: { url: "https://log.example" }`) + config
    expect(await decide(logged, [proven(alice.signer)])).toBe('deny')
    expect(await decide(logged, [proven(alice.signer, { logged: true })])).toBe('allow')
    const timed = logged.replace('ctlog:', 'rfc3161timestamp: { trustRootRef: tsa }\n      ctlog:')
    expect((await imported(timed)).losses).toContain('weaker $.spec.authorities[0].rfc3161timestamp')
    expect(await decide(timed, [proven(alice.signer, { logged: true })])).toBe('deny')
    expect(await decide(timed, [proven(alice.signer, { signedMs: now })])).toBe('allow')
  })

  it('takes the setting of the cluster for all other images', async () => {
    const text = policy(key(alice.pem)) + config.replace('deny', 'warn')
    expect(await decide(text, [], 'other.example/x:1')).toBe('warn')
    expect((await imported(policy(key(alice.pem)))).losses).toEqual(['stricter $'])
  })

  it('reads keyless authorities with attestations, and what CUE fixes', async () => {
    const text =
      policy(`    - keyless: { url: "https://fulcio.example", identities: [{ issuer: "${issuer}", subject: "${subject}" }] }
      ctlog: { url: "https://log.example" }
      attestations:
        - name: provenance
          predicateType: slsaprovenance
          policy:
            type: cue
            data: |
              predicateType: "https://slsa.dev/provenance/v0.2"
              predicate: {
                builder: id: "https://ci.example"
              }`) + config
    const type = 'https://slsa.dev/provenance/v0.2'
    expect((await imported(text)).losses).toEqual([
      'none $.spec.authorities[0].ctlog',
      'none $.spec.authorities[0].keyless.url',
      'stricter $.spec.authorities[0].attestations[0].policy',
    ])
    const ci = certified(subject, issuer)
    expect(await decide(text, [proven(ci, { type, logged: true, predicate: { builder: { id: 'https://ci.example' } } })])).toBe('allow')
    expect(await decide(text, [proven(ci, { type, logged: true, predicate: { builder: { id: 'https://other.example' } } })])).toBe('deny')
    expect(await decide(text, [proven(ci, { logged: true })])).toBe('deny')
  })

  it.each([
    ['a policy over all authorities', policy(key(alice.pem), '  policy: { type: rego, data: "package x" }'), 'weaker $.spec.policy'],
    [
      'Rego',
      policy(`${key(alice.pem)}\n      attestations: [{ name: a, predicateType: vuln, policy: { type: rego, data: "package x" } }]`),
      'weaker $.spec.authorities[0].attestations[0].policy',
    ],
    [
      'CUE that computes',
      policy(`${key(alice.pem)}\n      attestations: [{ name: a, predicateType: vuln, policy: { type: cue, data: "predicate: x: <3" } }]`),
      'weaker $.spec.authorities[0].attestations[0].policy',
    ],
    [
      'an authority that lets everything pass',
      policy(`${key(alice.pem)}\n    - static: { action: pass }`),
      'stricter $.spec.authorities[1]',
    ],
    [
      'authorities that ask for different things',
      policy(`${key(alice.pem)}\n${key(bob.pem)}\n      attestations: [{ name: a, predicateType: vuln }]`),
      'stricter $.spec.authorities[1]',
    ],
  ])('attack: %s is never dropped in silence', async (_what, text, loss) => {
    expect((await imported(text)).losses).toContain(loss)
  })
})

describe('policy.json of containers', () => {
  const signed = (pem: string, more: object = {}): object => ({
    type: 'sigstoreSigned',
    keyData: bytesToBase64(utf8(pem)),
    signedIdentity: { type: 'matchRepository' },
    ...more,
  })
  const policy = (docker: object, fallback: object = { type: 'reject' }): string =>
    JSON.stringify({ default: [fallback], transports: { docker } })
  const bound = { terms: { name: 'registry.example/acme/app' } }

  it('demands every requirement of a scope, of which the signature must carry the name', async () => {
    const text = policy({ 'registry.example/acme': [signed(alice.pem), signed(bob.pem)] })
    expect((await imported(text)).losses.filter((loss) => !loss.startsWith('stricter'))).toEqual([])
    expect(await decide(text, [proven(alice.signer, bound), proven(bob.signer, bound)])).toBe('allow')
    expect(await decide(text, [proven(alice.signer, bound)])).toBe('deny')
    expect(await decide(text, [proven(alice.signer), proven(bob.signer)])).toBe('deny')
    expect(await decide(text, [], 'other.example/x:1')).toBe('deny')
  })

  it('of keyDatas takes any one', async () => {
    const { keyData: _one, ...rest } = signed(alice.pem) as Record<string, unknown>
    const text = policy({ '': [{ ...rest, keyDatas: [bytesToBase64(utf8(alice.pem)), bytesToBase64(utf8(bob.pem))] }] })
    expect(await decide(text, [proven(bob.signer, bound)])).toBe('allow')
  })

  it('names the file of a key, and a mirror', async () => {
    const text = policy({
      'mirror.example/vendor': [
        {
          type: 'sigstoreSigned',
          keyPath: '/etc/pki/vendor.pub',
          signedIdentity: { type: 'remapIdentity', prefix: 'mirror.example/vendor', signedPrefix: 'vendor.example/x' },
        },
      ],
    })
    const { document, losses } = await imported(text)
    expect(document).toMatchObject({
      identities: { 'mirror.example-vendor': { keys: [{ name: 'vendor.pub' }] } },
      mirrors: [{ from: 'vendor.example/x/**', to: 'mirror.example/vendor/**' }],
    })
    expect(losses).toContain('weaker $.transports.docker["mirror.example/vendor"][0].signedIdentity')
  })

  it('names identities of Fulcio by mail address, and of a PKI', async () => {
    const fulcio = { caPath: '/ca.pem', oidcIssuer: issuer, subjectEmail: 'dev@acme.example' }
    const pki = { caRootsData: bytesToBase64(utf8('-----BEGIN CERTIFICATE-----')), subjectEmail: 'dev@acme.example' }
    const { document } = await imported(
      policy({
        'registry.example/a': [
          { type: 'sigstoreSigned', fulcio, rekorPublicKeyPath: '/rekor.pub', signedIdentity: { type: 'matchRepository' } },
        ],
      }),
    )
    expect(document).toMatchObject({
      identities: { 'registry.example-a': { certificate: { issuer, subject: 'dev@acme.example' } } },
      require: [{ signature: { logged: true } }],
    })
    await expect(
      imported(policy({ 'registry.example/a': [{ type: 'sigstoreSigned', pki, signedIdentity: { type: 'matchRepository' } }] })),
    ).rejects.toThrow('x509')
  })

  it.each([
    [
      'GPG beside another requirement',
      { 'r.example/a': [signed(alice.pem), { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k' }] },
      'weaker $.transports.docker["r.example/a"][1]',
    ],
    [
      'tags',
      { 'r.example/a': [signed(alice.pem, { signedIdentity: undefined })] },
      'weaker $.transports.docker["r.example/a"][0].signedIdentity',
    ],
    [
      'images that need no signature',
      { 'r.example/a': [signed(alice.pem)], 'r.example/b': [{ type: 'insecureAcceptAnything' }] },
      'stricter $.transports.docker["r.example/b"]',
    ],
    [
      'scopes inside each other',
      { 'r.example': [signed(alice.pem)], 'r.example/a': [signed(bob.pem)] },
      'stricter $.transports.docker["r.example"]',
    ],
  ])('attack: %s are never dropped in silence', async (_what, docker, loss) => {
    expect((await imported(policy(docker))).losses).toContain(loss)
  })
})

describe("Notary Project's trust policy", () => {
  const policy = (statement: object): string =>
    JSON.stringify({
      version: '1.0',
      trustPolicies: [
        {
          name: 'acme',
          registryScopes: ['registry.example/acme/app'],
          signatureVerification: { level: 'strict' },
          trustStores: ['ca:acme'],
          trustedIdentities: ['x509.subject: CN=release'],
          ...statement,
        },
      ],
    })
  const document = async (statement: object): Promise<JsonValue> => (await importOnly(policy(statement))).policy

  it('becomes an identity of an authority of one’s own', async () => {
    expect(await document({})).toMatchObject({
      match: { images: ['registry.example/acme/app'], unmatched: 'deny' },
      identities: { acme: { x509: { roots: [{ file: 'acme.pem' }], commonName: 'release' } } },
    })
    expect(await document({ signatureVerification: { level: 'audit' } })).toMatchObject({
      require: [{ onMissing: 'warn', onFail: 'warn' }],
    })
    expect(await document({ registryScopes: ['*'] })).toMatchObject({ match: { images: ['**'] } })
  })

  it('attack: the parts of a subject that are not compared are said to be lost', async () => {
    const { losses } = await importOnly(policy({ trustedIdentities: ['x509.subject: C=DE, ST=BE, O=acme, CN=release'] }))
    expect(losses.map(({ effect, path }) => `${effect} ${path}`)).toContain('weaker $.trustPolicies[0].trustedIdentities[0]')
  })

  it('accepts nothing where it verifies nothing', async () => {
    await expect(importOnly(policy({ signatureVerification: { level: 'skip' } }))).rejects.toThrow('demands a signature')
  })
})

async function importOnly(text: string) {
  const { importPolicies } = await import('../../src/policy-exchange/import.ts')
  return importPolicies([JSON.parse(text) as JsonValue], { name: 'imported' })
}

describe('a command of cosign', () => {
  const options = { name: 'imported' }

  it('names key, images and annotations', async () => {
    const { policy, losses } = importCosign(
      'cosign verify --key cosign.pub -a "env=prod,team=a" registry.example/acme/app:1.2',
      [],
      options,
    )
    expect(losses).toEqual([])
    expect(policy).toMatchObject({
      match: { images: ['registry.example/acme/app'] },
      identities: { cosign: { keys: [{ name: 'cosign.pub' }] } },
      require: [{ signature: { by: 'cosign', logged: true, annotations: { env: 'prod', team: 'a' } } }],
    })
    await compileDocument(policy)
  })

  it('names identities, patterns and what the workflow was', async () => {
    const line = `verify --certificate-identity-regexp '^https://github\\.com/acme/' --certificate-oidc-issuer ${issuer} --certificate-github-workflow-trigger=push --rekor-url https://x registry.example/acme/app`
    const { policy, losses } = importCosign(line, ['registry.example/**'], options)
    expect(losses.map(({ effect, path }) => `${effect} ${path}`)).toEqual(['none --certificate-identity-regexp', 'none --rekor-url'])
    expect(policy).toMatchObject({
      match: { images: ['registry.example/**'] },
      identities: {
        signer: {
          certificate: { issuer, subject: { pattern: 'https://github\\.com/acme/(?s:.*)' }, extensions: { githubWorkflowTrigger: 'push' } },
        },
      },
    })
  })

  it('attack: what a policy cannot say, or skips a check, is never dropped in silence', () => {
    const line = 'verify-attestation --type vuln --policy p.rego --insecure-ignore-sct --check-claims=false --key k.pub r.example/a'
    const { losses } = importCosign(line, [], options)
    expect(losses.map(({ effect, path }) => `${effect} ${path}`)).toEqual([
      'stricter --insecure-ignore-sct',
      'stricter --check-claims',
      'weaker --policy',
    ])
  })

  it.each([
    ['another verb', 'sign --key k r.example/a'],
    ['no signer', 'verify r.example/a'],
    ['no image', 'verify --key k.pub'],
    ['a layout', 'verify --key k.pub oci:dir'],
    ['a quote that never ends', "verify --key 'k.pub r.example/a"],
    ['a flag without a value', 'verify r.example/a --key'],
  ])('is refused with %s', (_what, line) => {
    expect(() => importCosign(line, [], options)).toThrow(/command|names|registry|quote|value/)
  })

  it('is split as a shell splits it', () => {
    expect(words(`a 'b c' "d \\" e"f \\\n g=''`)).toEqual(['a', 'b c', 'd " ef', 'g='])
  })
})

describe('a pattern that may match anywhere', () => {
  const names = ['a', 'b', '.', 'a..', 'xa', 'ax', 'xbx', 'ab', 'a\nb', 'a|b', '']
  it.each([
    'a',
    '^a',
    'a$',
    '^a$',
    '^(?:a|b)$',
    '^a|b$',
    '(?:a)|(?:b)',
    '^(?:a)|(?:b)$',
    'a\\$',
    'x?$',
    '^(a|b)',
    '[|]',
    '.*',
    '.*a.*',
    '.*?b',
    'a.*.*',
    '\\.*',
    'a\\.*',
    '^.*b',
    'b.*$',
  ])('accepts the same names as one that must match the whole: %s', async (search) => {
    const { value } = fromSearch(search)
    const { RE2JS } = await import('re2js')
    const whole = RE2JS.compile(`^(?:${value})$`)
    const found = RE2JS.compile(search)
    for (const name of names) expect([name, whole.matches(name)]).toEqual([name, found.matcher(name).find()])
  })
})
