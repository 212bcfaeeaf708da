/** Certificates for the keys of tests, as far as a client looks at them before anyone verifies. */
import { webcrypto } from 'node:crypto'
import type { Signer } from '@countersign/sdk/sign/signer'

// The library wants the reflection polyfill before it is loaded.
await import('reflect-metadata')
const { BasicConstraintsExtension, PublicKey, X509CertificateGenerator } = await import('@peculiar/x509')

/** A certificate, DER, for the key of a signer, by an authority that nobody knows. */
export async function certificateFor({ publicKey }: Pick<Signer, 'publicKey'>): Promise<Uint8Array> {
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.create(
    {
      subject: 'CN=test',
      issuer: 'CN=authority',
      notBefore: new Date('2026-01-01'),
      notAfter: new Date('2036-01-01'),
      publicKey: new PublicKey(new Uint8Array(publicKey.spki)),
      extensions: [new BasicConstraintsExtension(false)],
      signingKey: keys.privateKey,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    },
    webcrypto,
  )
  return new Uint8Array(certificate.rawData)
}
