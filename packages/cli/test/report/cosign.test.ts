import { utf8 } from '@countersign/core/bytes'
import { parseDigest } from '@countersign/core/digest'
import type { Evidence } from '@countersign/core/verify/evidence'
import { describe, expect, it } from 'vitest'
import { cosignEnvelope, cosignPayload, goJson } from '../../src/report/cosign.ts'

const digest = parseDigest(`sha256:${'ab'.repeat(32)}`)
if (digest === undefined) expect.fail('no digest')

function evidence(content: Evidence['content'], annotations: Readonly<Record<string, string>> = {}): Evidence {
  return {
    artifact: digest as NonNullable<typeof digest>,
    content,
    annotations,
    algorithm: 'PKIX_ECDSA_P256_SHA_256',
    signer: { kind: 'key', label: 'k', fingerprint: digest as NonNullable<typeof digest> },
    log: [],
    times: [],
    checks: [],
    waivers: [],
  }
}

describe('what cosign prints', () => {
  const statement = { kind: 'statement', predicateType: 'https://sigstore.dev/cosign/sign/v1', payload: new Uint8Array() } as const
  const image = { typed: 'registry.example/t/new:1', digest }

  it('echoes the image as typed for a bundle, with annotations sorted as Go sorts them', () => {
    expect(cosignPayload(evidence(statement, { env: 'prod', b: '2', '10': 'x' }), image)).toBe(
      `{"critical":{"identity":{"docker-reference":"registry.example/t/new:1"},"image":{"docker-manifest-digest":"${digest}"},"type":"https://sigstore.dev/cosign/sign/v1"},"optional":{"10":"x","b":"2","env":"prod"}}`,
    )
  })

  it('prints an empty object without annotations', () => {
    expect(cosignPayload(evidence(statement), image)).toMatch(/"optional":\{\}\}$/)
  })

  it('prints a legacy payload with its known fields in order, null where it has no annotations', () => {
    const payload = utf8(
      `{"optional":null,"extra":1,"critical":{"type":"cosign container image signature","image":{"docker-manifest-digest":"${digest}"},"identity":{"docker-reference":"r.example/t"}}}`,
    )
    expect(cosignPayload(evidence({ kind: 'simple-signing', dockerReference: 'r.example/t', payload }), image)).toBe(
      `{"critical":{"identity":{"docker-reference":"r.example/t"},"image":{"docker-manifest-digest":"${digest}"},"type":"cosign container image signature"},"optional":null}`,
    )
  })

  it('escapes what Go escapes', () => {
    expect(goJson({ a: '<&>\u2028' })).toBe('{"a":"\\u003c\\u0026\\u003e\\u2028"}')
  })

  it('prints the envelope of an attestation in one line, out of a bundle and out of the legacy layout, without keyid', () => {
    const envelope = { payloadType: 'application/vnd.in-toto+json', payload: 'e30=', signatures: [{ keyid: '', sig: 'AA==' }] }
    const expected = '{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]}'
    expect(cosignEnvelope({ bytes: utf8(JSON.stringify(envelope)) })).toBe(expected)
    expect(cosignEnvelope({ bytes: utf8(JSON.stringify({ mediaType: 'x', dsseEnvelope: envelope })) })).toBe(expected)
  })
})
