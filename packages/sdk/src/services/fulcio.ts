/** Client of the certificate authority: an identity token and a public key for a certificate (Fulcio `POST /api/v2/signingCert`). */
import { bytesToBase64 } from '@countersign/core/base64'
import { equalBytes, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace, isAbsent, items, nonEmptyText, openMembers } from '@countersign/core/json/shape'
import { encodePublicKeyPem, type PublicKey } from '@countersign/core/keys/public-key'
import { decodePem } from '@countersign/core/pem'
import { parseCertificate } from '@countersign/core/x509/certificate'
import type { HttpClient } from '../http/client.ts'
import { askService, malformedAnswer, refusedBy, type ServiceRequest } from './exchange.ts'
import { serviceUrl } from './service-url.ts'

/** What a certificate is asked with. */
export type CertificationRequest = {
  /** Base URL of the authority. */
  readonly url: string
  /** The identity token, a JWT; goes into the Authorization header and nowhere else. */
  readonly token: string
  readonly publicKey: PublicKey
  /** Signature of the key over the subject that the token names. */
  readonly proofOfPossession: Uint8Array
}

const service = 'the certificate authority'
const maxCertificates = 10
const code = 'service_response_malformed'

/**
 * A certificate for the key: DER, leaf first. Nothing about it is verified but that it is for this key; whoever signs with it verifies the
 * signature afterwards. Throws `service_refused` (with what the authority says), `service_unreachable`, `service_response_malformed`.
 */
export async function requestCertificate(
  client: HttpClient,
  { url, token, publicKey, proofOfPossession }: CertificationRequest,
): Promise<readonly [Uint8Array, ...Uint8Array[]]> {
  const request: ServiceRequest = {
    service,
    method: 'POST',
    url: serviceUrl(url, 'api/v2/signingCert'),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: utf8(
      JSON.stringify({
        publicKeyRequest: {
          publicKey: { algorithm: algorithmNames[publicKey.type], content: encodePublicKeyPem(publicKey) },
          proofOfPossession: bytesToBase64(proofOfPossession),
        },
      }),
    ),
    // A certificate that nobody received signs nothing.
    repeatable: true,
  }
  const answer = await askService(client, request)
  if (answer.status !== 200 && answer.status !== 201) throw refusedBy(request, answer)
  const chain = readChain(answer.body)
  if (!equalBytes(parseCertificate(chain[0]).spki, publicKey.spki)) throw malformedAnswer(service, 'the certificate is for another key')
  return chain
}

/** The field is for people: the authority reads the key itself. */
const algorithmNames: Readonly<Record<PublicKey['type'], string>> = {
  'ec-p256': 'ECDSA',
  'ec-p384': 'ECDSA',
  'ec-p521': 'ECDSA',
  rsa: 'RSA_PSS',
  ed25519: 'ED25519',
}

function readChain(body: Uint8Array): readonly [Uint8Array, ...Uint8Array[]] {
  const { value } = parseJsonAs(code, 'the answer of the certificate authority', body)
  const field = openMembers(documentPlace(value, code))
  const embedded = field('signedCertificateEmbeddedSct')
  if (isAbsent(embedded)) {
    throw new CountersignError('not_supported', 'the certificate authority gives no certificate with an embedded timestamp of a CT log', {
      hint: 'Connect the authority to a CT log.',
    })
  }
  const list = openMembers(openMembers(embedded)('chain'))('certificates')
  const [leaf, ...rest] = items(list, maxCertificates).map((item) => readCertificatePem(nonEmptyText(item)))
  if (leaf === undefined) throw malformedAnswer(service, 'the chain is empty')
  return [leaf, ...rest]
}

function readCertificatePem(pem: string): Uint8Array {
  const [block, ...more] = decodePem(pem)
  if (block === undefined || more.length > 0 || block.label !== 'CERTIFICATE') throw malformedAnswer(service, 'no certificate in PEM')
  return block.bytes
}
