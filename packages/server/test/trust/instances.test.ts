import { describe, expect, it } from 'vitest'
import { buildCertificate } from '@countersign/core/x509/build'
import { intermediateFields, rootFields } from '@countersign/core/x509/build-authority'
import { keyIdentifier } from '@countersign/core/x509/build-extensions'
import { encodeName } from '@countersign/core/x509/build-name'
import { purposeOid } from '@countersign/core/x509/oids'
import { memoryKey } from '@countersign/testkit/memory-keys'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { signingConfigOf } from '../../src/trust/anchors.ts'
import { checkInstance, type TrustInstance } from '../../src/trust/instances.ts'
import { dayMs, makeInstance, makeInstances, noonMs } from './made.ts'

const certificatesOf = ({ anchor }: TrustInstance): readonly Uint8Array[] => (anchor.kind === 'chain' ? anchor.certificates : [])

/** A certificate authority for timestamps, and its root. */
async function stampingAuthority(): Promise<readonly Uint8Array[]> {
  const [rootKey, key] = [memoryKey('root', 'ec-p384'), memoryKey('leaf')]
  const validity = { notBeforeMs: noonMs, notAfterMs: noonMs + dayMs }
  const name = encodeName({ commonName: 'root' })
  const root = { serial: Uint8Array.of(1), subject: name, key: rootKey.publicKey, ...validity }
  const below = { serial: Uint8Array.of(2), subject: encodeName({ commonName: 'authority' }), key: key.publicKey, ...validity }
  const issuer = { name, keyId: await keyIdentifier(serverPrimitives, rootKey.publicKey) }
  return [
    await buildCertificate(await intermediateFields(serverPrimitives, below, issuer, purposeOid.timeStamping), rootKey),
    await buildCertificate(await rootFields(serverPrimitives, root), rootKey),
  ]
}

describe('what clients are told of services', () => {
  it('names each address once, from the first of its instances to the last', async () => {
    const [one, two] = [await makeInstance('rekor2'), await makeInstance('rekor2', 2)]
    const between = (start: number, end?: number): TrustInstance['validFor'] => (end === undefined ? { start } : { start, end })
    const validFor = (a: TrustInstance['validFor'], b: TrustInstance['validFor']): unknown =>
      signingConfigOf([
        { ...one, validFor: a },
        { ...two, validFor: b },
      ]).logUrls.map((service) => service.validFor)
    expect(validFor(between(2, 5), between(1, 9))).toEqual([between(1, 9)])
    expect(validFor(between(1, 9), between(2, 5))).toEqual([between(1, 9)])
    expect(validFor(between(1, 5), between(4))).toEqual([between(1)])
  })
})

describe('an instance that shall be trusted', () => {
  it('is one of each role as this installation makes them', async () => {
    for (const instance of await makeInstances()) expect(() => checkInstance(instance)).not.toThrow()
  })

  it.each<[string, () => Promise<TrustInstance>]>([
    ['that ends before it starts', async () => ({ ...(await makeInstance('ct')), validFor: { start: noonMs, end: noonMs - 1 } })],
    [
      'that is an authority under the root of another',
      async () => {
        const [own, other] = [await makeInstance('ca'), await makeInstance('tsa')]
        const certificates = [...certificatesOf(own).slice(0, 1), ...certificatesOf(other).slice(-1)]
        return { ...own, anchor: { kind: 'chain', certificates } }
      },
    ],
    ['that is an authority, but may issue nothing', async () => ({ ...(await makeInstance('tsa')), role: 'ca' })],
    [
      'that stamps, and could certify others that do',
      async () => ({ ...(await makeInstance('tsa')), anchor: { kind: 'chain', certificates: await stampingAuthority() } }),
    ],
    ['that is a provider with a key', async () => ({ ...(await makeInstance('ct')), role: 'oidc' })],
    ['whose address a shell would run', async () => ({ ...(await makeInstance('ct')), url: 'https://x/$(id)' })],
  ])('is none %s', async (_, make) => {
    const instance = await make()
    expect(() => checkInstance(instance)).toThrow(expect.objectContaining({ code: 'trust_instance_malformed' }))
  })
})
