/** Certificates for tests of TLS: an authority, a server for loopback, a client. */
// @peculiar/x509 needs it before its first class is made.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata'
import type { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  type Extension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A key pair with its certificate, in PEM. */
export type Certified = { readonly cert: string; readonly key: string }

/** Makes an authority and certificates of it. */
export async function makeTlsAuthority(): Promise<{ readonly ca: string; readonly server: Certified; readonly client: Certified }> {
  const keys = await makeKeys()
  const validity = { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 86_400_000) }
  const authority = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: 'CN=test authority',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  })
  const issue = async (name: string, extensions: Extension[]): Promise<Certified> => {
    const own = await makeKeys()
    const certificate = await X509CertificateGenerator.create({
      ...validity,
      subject: `CN=${name}`,
      issuer: authority.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions,
    })
    return { cert: pem(certificate), key: PemConverter.encode(await crypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY') }
  }
  const names = new SubjectAlternativeNameExtension([
    { type: 'ip', value: '127.0.0.1' },
    { type: 'dns', value: 'registry.test' },
  ])
  return { ca: pem(authority), server: await issue('registry.test', [names]), client: await issue('a client', []) }
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

function pem(certificate: X509Certificate): string {
  return certificate.toString('pem')
}
