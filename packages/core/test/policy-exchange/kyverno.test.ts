import { describe, expect, it } from 'vitest'
import { CountersignError } from '../../src/failure.ts'
import { certified, now, proven, somebody } from '../policy/fixture.ts'
import { decide, imported, indented } from './exchange.ts'

const [alice, bob, carol] = [await somebody('alice'), await somebody('bob'), await somebody('carol')]
const issuer = 'https://token.actions.githubusercontent.com'
const workflow = 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1'

const clusterPolicy = (entry: string, rest = ''): string => `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: { name: signed-images }
spec:
  validationFailureAction: Enforce
  webhookTimeoutSeconds: 30
  rules:
    - name: check-signature
      match: { any: [{ resources: { kinds: [Pod] } }] }
      verifyImages:
        - imageReferences: ["registry.example/acme/*"]
          mutateDigest: true
${entry}
${rest}`
const keys = (pem: string, indent: number): string => `publicKeys: |-\n${' '.repeat(indent)}${indented(pem, indent)}`
const stricter = 'stricter $'
const note = 'none $.spec.rules[0].verifyImages[0].mutateDigest'

describe('a ClusterPolicy with verifyImages', () => {
  const one = clusterPolicy(`          attestors:
            - entries:
                - keys:
                    ${keys(alice.pem, 22)}
                    rekor: { ignoreTlog: true }`)

  it('of one key accepts what that key signed, and nothing else', async () => {
    expect((await imported(one)).losses).toEqual([note, stricter])
    expect(await decide(one, [proven(alice.signer)])).toBe('allow')
    expect(await decide(one, [proven(bob.signer)])).toBe('deny')
    expect(await decide(one, [proven(alice.signer)], 'registry.example/acme/deep/app:1')).toBe('allow')
    expect(await decide(one, [proven(alice.signer)], 'other.example/acme/app:1')).toBe('deny')
  })

  it('demands a log entry where the log is not ignored', async () => {
    const logged = one.replace('rekor: { ignoreTlog: true }', 'rekor: { url: "https://log.example" }')
    expect(await decide(logged, [proven(alice.signer)])).toBe('deny')
    expect(await decide(logged, [proven(alice.signer, { logged: true })])).toBe('allow')
  })

  it('of several keys in one entry demands all of them, or as many as it counts', async () => {
    const all = one.replace(indented(alice.pem, 22), indented(`${alice.pem}${bob.pem}`, 22))
    expect(await decide(all, [proven(alice.signer)])).toBe('deny')
    expect(await decide(all, [proven(alice.signer), proven(bob.signer)])).toBe('allow')
    const either = all.replace('- entries:', '- count: 1\n              entries:')
    expect(await decide(either, [proven(bob.signer)])).toBe('allow')
  })

  it('counts distinct signers: an attestor that is listed twice is one', async () => {
    const entry = (pem: string): string =>
      `                - keys:\n                    ${keys(pem, 22)}\n                    rekor: { ignoreTlog: true }\n`
    const text = clusterPolicy(
      `          attestors:\n            - count: 2\n              entries:\n${entry(alice.pem)}${entry(alice.pem)}${entry(bob.pem)}`,
    )
    expect((await imported(text)).losses).toContain('stricter $.spec.rules[0].verifyImages[0].attestors[0]')
    expect(await decide(text, [proven(alice.signer)])).toBe('deny')
    expect(await decide(text, [proven(alice.signer), proven(bob.signer)])).toBe('allow')
  })

  it('reads sets inside sets', async () => {
    const entry = (pem: string, at: number): string =>
      `${' '.repeat(at)}- keys: { publicKeys: ${JSON.stringify(pem)}, rekor: { ignoreTlog: true } }\n`
    const text = clusterPolicy(
      `          attestors:\n            - entries:\n${entry(alice.pem, 16)}                - attestor:\n                    count: 1\n                    entries:\n${entry(bob.pem, 22)}${entry(carol.pem, 22)}`,
    )
    expect(await decide(text, [proven(alice.signer), proven(carol.signer)])).toBe('allow')
    expect(await decide(text, [proven(bob.signer), proven(carol.signer)])).toBe('deny')
  })

  it('reads stars in a subject as Kyverno does: over slashes', async () => {
    const text = clusterPolicy(`          attestors:
            - entries:
                - keyless:
                    subject: "https://github.com/acme/*@refs/tags/*"
                    issuer: "${issuer}"
                    rekor: { url: "https://log.example" }`)
    expect((await imported(text)).losses).toEqual([
      note,
      'none $.spec.rules[0].verifyImages[0].attestors[0].entries[0].keyless.rekor.url',
      stricter,
    ])
    expect(await decide(text, [proven(certified(workflow, issuer), { logged: true })])).toBe('allow')
    expect(await decide(text, [proven(certified(workflow.replace('acme/', 'mallory/'), issuer), { logged: true })])).toBe('deny')
  })

  it('keeps a pattern that is not anchored as loose as it is, and says so', async () => {
    const text = clusterPolicy(`          attestors:
            - entries:
                - keyless: { subjectRegExp: "github.com/acme/", issuer: "${issuer}", rekor: { url: "https://log.example" } }`)
    expect((await imported(text)).losses).toContain('none $.spec.rules[0].verifyImages[0].attestors[0].entries[0].keyless.subjectRegExp')
    expect(await decide(text, [proven(certified(workflow, issuer), { logged: true })])).toBe('allow')
  })

  const attested = clusterPolicy(`          attestations:
            - type: https://slsa.dev/provenance/v1
              attestors:
                - entries:
                    - keys:
                        ${keys(alice.pem, 26)}
                        rekor: { ignoreTlog: true }
              conditions:
                - all:
                    - { key: "{{ builder.id }}", operator: Equals, value: "https://ci.example/*" }
                    - { key: "{{ level }}", operator: GreaterThanOrEquals, value: 3 }
                    - { key: "{{ branch }}", operator: AnyIn, value: [main, release] }`)

  it('carries simple conditions over the predicate into CEL', async () => {
    const good = { builder: { id: 'https://ci.example/7' }, level: 3, branch: 'main' }
    const type = 'https://slsa.dev/provenance/v1'
    expect((await imported(attested)).losses).toEqual([note, stricter])
    expect(await decide(attested, [proven(alice.signer, { type, predicate: good })])).toBe('allow')
    for (const wrong of [{ level: 2 }, { branch: 'x' }, { builder: { id: 'https://ci.evil/7' } }, { builder: {} }])
      expect(await decide(attested, [proven(alice.signer, { type, predicate: { ...good, ...wrong } })])).toBe('deny')
    expect(await decide(attested, [proven(alice.signer)])).toBe('deny')
  })

  it('keeps alternatives of conditions, and none of them where one is lost: the others alone would be a demand of their own', async () => {
    const type = 'https://slsa.dev/provenance/v1'
    const any = attested.replace('- all:', '- any:')
    const predicate = { level: 3 }
    expect(await decide(any, [proven(alice.signer, { type, predicate })])).toBe('allow')
    expect(await decide(any, [proven(alice.signer, { type, predicate: { level: 2 } })])).toBe('deny')
    const lost = any.replace('{{ builder.id }}', '{{ length(builder) }}')
    expect((await imported(lost)).losses).toContain('weaker $.spec.rules[0].verifyImages[0].attestations[0].conditions[0].any[0]')
    expect(await decide(lost, [proven(alice.signer, { type, predicate: { level: 2 } })])).toBe('allow')
  })

  it('attack: a condition that cannot be carried over is never dropped in silence', async () => {
    const text = attested.replace('{{ builder.id }}', "{{ regex_match('x', builder.id) }}")
    expect((await imported(text)).losses).toContain('weaker $.spec.rules[0].verifyImages[0].attestations[0].conditions[0].all[0]')
  })

  it('knows the rule that allows images of some registries alone', async () => {
    const rule = `    - name: registries
      match: { any: [{ resources: { kinds: [Pod] } }] }
      validate: { failureAction: Enforce, message: x, pattern: { spec: { containers: [{ image: "registry.example/*" }] } } }`
    expect((await imported(`${one}${rule}`)).losses).toEqual([note])
  })

  it.each([
    '!*:latest',
    '*:1.0',
    'registry.example/acme/app*',
    'other.example/*',
    'registry.example/* & !*:latest',
    '*/acme/*/x*',
    'registry.example/acme',
    '?*:?*',
  ])('attack: a rule that allows images of "%s" alone is never dropped in silence where the rest admits more', async (image) => {
    const rule = `    - { name: texts, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { pattern: { spec: { containers: [{ image: "${image}" }] } } } }`
    expect((await imported(`${one}${rule}`)).losses).toContain('weaker $.spec.rules[1].validate')
  })

  it.each(['*', 'registry.example/acme/*', 'reg*', '!*:latest | registry.example/*', 'other.example/* | registry.example/acme/*'])(
    'loses nothing of a rule that allows images of "%s", which are those that the others speak of',
    async (image) => {
      const rule = `    - { name: texts, match: { any: [{ resources: { kinds: [Pod] } }] }, validate: { pattern: { spec: { containers: [{ image: "${image}" }] } } } }`
      expect((await imported(`${one}${rule}`)).losses).toEqual([note])
    },
  )

  it.each([
    [
      'what it leaves out',
      one.replace('mutateDigest: true', 'skipImageReferences: ["registry.example/acme/x*"]'),
      'stricter $.spec.rules[0].verifyImages[0].skipImageReferences',
    ],
    ['namespaces', one.replace('kinds: [Pod]', 'kinds: [Pod], namespaces: [prod]'), 'stricter $.spec.rules[0].match'],
    ['an image without tag or star', one.replace('acme/*', 'acme/app'), 'stricter $.spec.rules[0].verifyImages[0].imageReferences[0]'],
    [
      'validate over attestations',
      one.replace('mutateDigest: true', 'validate: { deny: {} }'),
      'weaker $.spec.rules[0].verifyImages[0].validate',
    ],
    [
      'no attestor at all',
      clusterPolicy(
        '',
        '    - { name: n, verifyImages: [{ imageReferences: ["r.example/*"], attestors: [{ entries: [{ keys: { kms: "awskms:///alias/x" } }] }] }] }',
      ),
      'weaker $.spec.rules[0].verifyImages[0]',
    ],
  ])('says that it cannot carry over %s', async (_what, text, loss) => {
    expect((await imported(text)).losses).toContain(loss)
  })

  it('asks for a key that is in the cluster by name', async () => {
    const text = clusterPolicy('          attestors: [{ entries: [{ keys: { secret: { namespace: sec, name: release } } }] }]')
    expect((await imported(text)).document).toMatchObject({ identities: { key: { keys: [{ name: 'sec-release.pub' }] } } })
  })

  it('that demands timestamps demands a proven time, and says that one of a log counts too', async () => {
    const text = one.replace('rekor: { ignoreTlog: true }', 'rekor: { ignoreTlog: true }\n                    ctlog: { tsaCertChain: x }')
    expect((await imported(text)).losses).toContain(
      'weaker $.spec.rules[0].verifyImages[0].attestors[0].entries[0].keys.ctlog.tsaCertChain',
    )
    expect(await decide(text, [proven(alice.signer)])).toBe('deny')
    expect(await decide(text, [proven(alice.signer, { signedMs: now })])).toBe('allow')
  })

  it('that only warns gives warnings', async () => {
    expect(await decide(one.replace('Enforce', 'Audit'), [])).toBe('warn')
  })
})

describe('an ImageValidatingPolicy', () => {
  const policy = (attestor: string, validations: string): string => `
apiVersion: policies.kyverno.io/v1
kind: ImageValidatingPolicy
metadata: { name: check }
spec:
  validationActions: [Deny]
  matchImageReferences: [{ glob: "registry.example/*" }]
  attestors:
${attestor}
  attestations:
    - { name: sbom, intoto: { type: "https://cyclonedx.org/bom" } }
    - { name: file, referrer: { type: sbom/example } }
  validations:
${validations}`
  const key = `    - name: release
      cosign:
        key:
          data: |
            ${indented(alice.pem, 12)}
        ctlog: { insecureIgnoreTlog: true }`
  const signed = `    - expression: >-
        images.containers.map(image, verifyImageSignatures(image, [attestors.release])).all(e, e > 0)
      message: not signed`
  const sbom = `    - expression: images.containers.map(i, verifyAttestationSignatures(i, attestations.sbom , [attestors.release])).all(n, n > 0)
    - expression: images.containers.map(image, extractPayload(image, attestations.sbom).bomFormat == 'Cyclone, DX').all(e, e)`

  it('is read in the idiom of its documentation', async () => {
    expect((await imported(policy(key, signed))).losses).toEqual([stricter])
    expect(await decide(policy(key, signed), [proven(alice.signer)])).toBe('allow')
    expect(await decide(policy(key, signed), [proven(bob.signer)])).toBe('deny')
  })

  it('keeps what it asks of the payload of an attestation', async () => {
    const text = policy(key, `${signed}\n${sbom}`)
    const type = 'https://cyclonedx.org/bom'
    expect((await imported(text)).losses).toEqual([stricter])
    expect(await decide(text, [proven(alice.signer), proven(alice.signer, { type, predicate: { bomFormat: 'Cyclone, DX' } })])).toBe(
      'allow',
    )
    expect(await decide(text, [proven(alice.signer), proven(alice.signer, { type, predicate: { bomFormat: 'Cyclone,DX' } })])).toBe('deny')
    expect(await decide(text, [proven(alice.signer)])).toBe('deny')
  })

  it('of several attestors demands as many as the expression compares with', async () => {
    const two = `${key}\n${key.replace('name: release', 'name: second').replace(indented(alice.pem, 12), indented(bob.pem, 12))}`
    const expression = (test: string): string =>
      `    - expression: images.containers.map(image, verifyImageSignatures(image, [attestors.release, attestors.second])).all(e, e ${test})`
    expect(await decide(policy(two, expression('> 0')), [proven(bob.signer)])).toBe('allow')
    expect(await decide(policy(two, expression('>= 2')), [proven(bob.signer)])).toBe('deny')
    expect(await decide(policy(two, expression('> 1')), [proven(alice.signer), proven(bob.signer)])).toBe('allow')
  })

  it('accepts any of its keyless identities', async () => {
    const text = policy(
      `    - { name: release, cosign: { keyless: { identities: [{ issuer: "${issuer}", subject: "${workflow}" }, { issuer: "${issuer}", subjectRegExp: "^https://github\\\\.com/acme/b/" }] } } }`,
      signed,
    )
    expect(await decide(text, [proven(certified(workflow, issuer), { logged: true })])).toBe('allow')
    expect(await decide(text, [proven(certified('https://github.com/acme/b/x', issuer), { logged: true })])).toBe('allow')
    expect(await decide(text, [proven(certified('https://github.com/acme/c', issuer), { logged: true })])).toBe('deny')
  })

  it.each([
    [
      'an expression of another kind',
      `${signed}\n    - expression: images.containers.all(i, getImageData(i).config.size() > 0)`,
      'weaker $.spec.validations[1].expression',
    ],
    [
      'an expression without end',
      `${signed}\n    - expression: images.containers.all(i, ${'i != "" && '.repeat(1000)} true)`,
      'weaker $.spec.validations[1].expression',
    ],
    [
      'a call that is negated',
      `${signed}\n    - expression: "!images.containers.map(i, verifyImageSignatures(i, [attestors.release])).all(e, e > 0)"`,
      'weaker $.spec.validations[1].expression',
    ],
    [
      'an attestation by media type',
      `${signed}\n${sbom.replaceAll('attestations.sbom', 'attestations.file')}`,
      'weaker $.spec.validations[1].expression',
    ],
    [
      'a payload that looks at the resource',
      `${signed}\n${sbom.replace("'Cyclone, DX'", 'object.metadata.name')}`,
      'weaker $.spec.validations[2].expression',
    ],
  ])('attack: %s is never dropped in silence', async (_what, validations, loss) => {
    expect((await imported(policy(key, validations))).losses).toContain(loss)
  })
})

describe('what is no policy', () => {
  it.each([
    ['another kind', 'apiVersion: v1\nkind: Pod\nmetadata: { name: x }\n'],
    ['another group', 'apiVersion: evil.example/v1\nkind: ClusterPolicy\nspec: { rules: [] }\n'],
    ['a policy that verifies nothing', 'apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec: { rules: [{ name: x, validate: {} }] }\n'],
  ])('is refused: %s', async (_what, text) => {
    await expect(imported(text)).rejects.toThrow(CountersignError)
  })
})
