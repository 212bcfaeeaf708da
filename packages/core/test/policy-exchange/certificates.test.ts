import { describe, expect, it } from 'vitest'
import { encodePem } from '../../src/pem.ts'
import { digest, judge, proven } from '../policy/fixture.ts'
import { keyFingerprint, parsePublicKey } from '../../src/keys/public-key.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import type { SignerEvidence } from '../../src/verify/evidence.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { newAuthority } from '../x509/issue.ts'
import { imageOf, imported } from './exchange.ts'

const { root, intermediate } = newAuthority()
const [rootPem, leafPem] = [encodePem('CERTIFICATE', root), encodePem('CERTIFICATE', intermediate)]
const certifiedKey: SignerEvidence = {
  kind: 'key',
  label: 'certified',
  fingerprint: await keyFingerprint(parsePublicKey(parseCertificate(intermediate).spki), nodePrimitives),
}

const policies: readonly [string, (certificate: object) => object][] = [
  [
    'a ClusterPolicy',
    (certificate) => ({
      apiVersion: 'kyverno.io/v1',
      kind: 'ClusterPolicy',
      metadata: { name: 'x' },
      spec: {
        rules: [
          {
            name: 'x',
            verifyImages: [
              {
                imageReferences: ['registry.example/*'],
                attestors: [{ entries: [{ certificates: { ...certificate, rekor: { ignoreTlog: true } } }] }],
              },
            ],
          },
        ],
      },
    }),
  ],
  [
    'an ImageValidatingPolicy',
    (certificate) => ({
      apiVersion: 'policies.kyverno.io/v1',
      kind: 'ImageValidatingPolicy',
      metadata: { name: 'x' },
      spec: {
        matchImageReferences: [{ glob: 'registry.example/*' }],
        attestors: [
          {
            name: 'a',
            cosign: {
              certificate: Object.fromEntries(Object.entries(certificate).map(([name, value]) => [name, { value: value as string }])),
              ctlog: { insecureIgnoreTlog: true },
            },
          },
        ],
        validations: [{ expression: 'images.containers.map(image, verifyImageSignatures(image, [attestors.a])).all(e, e > 0)' }],
      },
    }),
  ],
]

describe.each(policies)('certificates in %s', (_kind, policyOf) => {
  it('stand for their keys', async () => {
    const { policy } = await imported(JSON.stringify(policyOf({ cert: leafPem })))
    const artifact = { ...imageOf('registry.example/app:1'), digests: [digest] }
    expect(judge(policy, [await proven(certifiedKey)], { artifact }).decision).toBe('allow')
    expect(judge(policy, [await proven({ ...certifiedKey, fingerprint: digest })], { artifact }).decision).toBe('deny')
  })

  it('of an authority stand for whoever it certified', async () => {
    const { document } = await imported(JSON.stringify(policyOf({ certChain: rootPem })))
    expect(Object.values((document as { identities: object }).identities)).toEqual([
      { x509: { roots: [{ pem: rootPem }], issuer: { pattern: '(?s:.*)' } } },
    ])
  })

  it('are refused when they are none', async () => {
    await expect(imported(JSON.stringify(policyOf({ cert: 'x' })))).rejects.toThrow('cert')
  })
})

describe("Fulcio's extensions in a ClusterPolicy", () => {
  const policy = (extensions: object): string =>
    JSON.stringify({
      apiVersion: 'kyverno.io/v1',
      kind: 'ClusterPolicy',
      metadata: { name: 'x' },
      spec: {
        rules: [
          {
            name: 'x',
            verifyImages: [
              {
                imageReferences: ['r.example/*'],
                attestors: [
                  {
                    entries: [
                      {
                        keyless: {
                          issuer: 'https://i',
                          subject: 'https://s',
                          additionalExtensions: extensions,
                          rekor: { url: 'https://r' },
                        },
                      },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      },
    })

  it('are named as cosign names them, or by OID', async () => {
    const { document } = await imported(
      policy({ githubWorkflowTrigger: 'push', githubWorkflowSha: 'abc', '1.3.6.1.4.1.57264.1.5': 'acme/app' }),
    )
    expect(Object.values((document as { identities: object }).identities)).toEqual([
      {
        certificate: {
          issuer: 'https://i',
          subject: 'https://s',
          extensions: { githubWorkflowTrigger: 'push', githubWorkflowSHA: 'abc', githubWorkflowRepository: 'acme/app' },
        },
      },
    ])
  })

  it('attack: one that a policy has no name for is never dropped in silence', async () => {
    const { losses } = await imported(policy({ oidcIssuer: 'x' }))
    expect(losses).toContain('weaker $.spec.rules[0].verifyImages[0].attestors[0].entries[0].keyless.additionalExtensions["oidcIssuer"]')
  })
})
