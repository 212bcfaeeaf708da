/** What is fuzzed of the certificate authority and its log. */
import { fromUtf8 } from '@countersign/core/bytes'
import { parseJson } from '@countersign/core/json/parse'
import { parseCertificateRequest } from '@countersign/core/x509/certificate-request'
import { parseDataTile } from '@countersign/core/x509/ct-leaf'
import { readWish } from '@countersign/server/ca/fulcio/read-request'
import { readIssuers } from '@countersign/server/ca/issuers/read-configuration'
import { parseIdentityToken } from '@countersign/server/ca/tokens/parse-token'
import { certificateRequests, certificateWishes, dataTiles, identityTokens, issuerConfigurations } from './ca-samples.ts'
import { parser, type Target } from './fuzz-targets.ts'

/** Every parser of the room. */
export async function authorityTargets(): Promise<readonly Target[]> {
  return [
    parser('identity token', identityTokens(), (token) => parseIdentityToken(fromUtf8(token))),
    parser('request for a certificate', certificateWishes(), (body) => readWish(body, undefined)),
    parser('certification request (DER)', await certificateRequests(), parseCertificateRequest),
    parser('data tile', dataTiles(), parseDataTile),
    parser('configuration of issuers', issuerConfigurations(), (document) => readIssuers(parseJson(document))),
  ]
}
