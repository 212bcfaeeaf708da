/** Opens the certificate authority: its parts made of what the process has. */
import type { JsonValue } from '@countersign/core/json/parse'
import type { Audit } from '../base/audit/audit.ts'
import type { Clock } from '../base/clock.ts'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import type { Database } from '../base/database/database.ts'
import type { Service } from '../base/http/service.ts'
import type { KeyStore } from '../base/keys/role-key.ts'
import { openAuthorities, type Authorities } from './authority/issuing.ts'
import { authorityTable } from './authority/tables.ts'
import type { IssuanceRate } from './fulcio/rate-limit.ts'
import { fulcioService } from './fulcio/routes.ts'
import { readIssuers } from './issuers/read-configuration.ts'
import type { CertificateLog } from './ports.ts'
import { documentFetcher } from './tokens/documents.ts'
import { issuerKeys } from './tokens/issuer-keys.ts'
import { tokenVerifier } from './tokens/verify-token.ts'

/** What the authority works with. */
export type CertificateAuthorityParts = {
  readonly database: Database
  readonly keys: KeyStore
  readonly log: CertificateLog
  readonly audit: Audit
  readonly now: Clock
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  /** The configuration of issuers as a plain value, in the shape of Fulcio's own. */
  readonly issuers: JsonValue
  readonly rate?: IssuanceRate
}

/** The authority: its service under `/fulcio`, and its chains for who publishes trust. */
export type CertificateAuthority = { readonly service: Service; readonly authorities: Authorities }

/** Opens it. Throws `config_malformed` for issuers that cannot be read; keys are opened by the first request, or by `ready`. */
export function openCertificateAuthority(parts: CertificateAuthorityParts): CertificateAuthority {
  const { database, keys, now } = parts
  const authorities = openAuthorities({ table: authorityTable(database, now), keys, now })
  const issuers = readIssuers(parts.issuers)
  const documents = documentFetcher()
  const verifyToken = tokenVerifier({ issuers, keys: issuerKeys({ fetch: documents.fetch, now }), primitives: serverPrimitives, now })
  const { log, audit, random } = parts
  const service = fulcioService({
    authorities,
    log,
    audit,
    now,
    random,
    issuers,
    verifyToken,
    ...(parts.rate === undefined ? {} : { rate: parts.rate }),
  })
  return { service: { ...service, close: documents.close }, authorities }
}
