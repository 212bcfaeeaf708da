/** The certificate authority over HTTP, as clients of Fulcio call it (fulcio.proto; pkg/server/http.go). */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { bytesToHex } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { Audit } from '../../base/audit/audit.ts'
import { inFlightLimit } from '../../base/http/in-flight.ts'
import { allowAnyOrigin, bodyOf } from '../../base/http/request.ts'
import type { EarlyRefusal, Service } from '../../base/http/service.ts'
import type { IssuerConfiguration } from '../issuers/model.ts'
import { principalOf, type Principal } from '../issuers/principal.ts'
import type { TokenVerifier } from '../tokens/verify-token.ts'
import { describeConfiguration } from './configuration.ts'
import { issueCertificate, type IssuanceParts, type IssuedCertificate } from './issue.ts'
import { provenKey } from './possession.ts'
import { defaultIssuanceRate, rateLimit, type IssuanceRate, type RateLimit } from './rate-limit.ts'
import { readWish, readWishV1, type CertificateWish } from './read-request.ts'
import { isClientFailure, refusalOf } from './refusal.ts'

/** What the service is made of. */
export type FulcioServiceParts = IssuanceParts & {
  readonly issuers: IssuerConfiguration
  readonly verifyToken: TokenVerifier
  readonly audit: Audit
  readonly rate?: IssuanceRate
  /** Certificates that are worked on at once; one more is told to come back before anything of it is read. Default 1,024. */
  readonly maxInFlight?: number
}

const defaultInFlight = 1024
const [pathV1, pathV2] = ['/api/v1/signingCert', '/api/v2/signingCert'] as const

const maxBodyBytes = 4 * 1024 * 1024
/** Refusals that are written to the audit log per second; the ids of those beyond are those of the request's log line. A flood must not fill a disk. */
const recordedRefusals: IssuanceRate = { burst: 100, perMinute: 1200 }

/** The service, under `/fulcio`. */
export function fulcioService(parts: FulcioServiceParts): Service {
  const issuance = rateLimit(parts.rate ?? defaultIssuanceRate, parts.now)
  const refusals = rateLimit(recordedRefusals, parts.now, 1)
  const configuration = describeConfiguration(parts.issuers)
  const limit = inFlightLimit({
    most: parts.maxInFlight ?? defaultInFlight,
    paths: [pathV1, pathV2].map((path) => `/fulcio${path}`),
    refusal: earlyRefusal(),
  })
  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    read: (body: Uint8Array, authorization: string | undefined) => CertificateWish,
    send: (issued: IssuedCertificate) => Promise<void>,
  ): Promise<void> => {
    const caller: Caller = { from: request.ip, actor: 'unknown' }
    try {
      const { authorization } = request.headers
      const issue = async (): Promise<IssuedCertificate> => issueFor(parts, issuance, read(bodyOf(request), authorization), caller)
      await send(
        await limit.run(issue, () => {
          throw overloaded()
        }),
      )
    } catch (failure) {
      await refuse({ audit: parts.audit, limit: refusals, caller }, request, reply, failure)
    }
  }
  return {
    name: 'fulcio',
    prefix: '/fulcio',
    ready: async () => readiness(parts),
    refuseAtOnce: limit.refuseAtOnce,
    routes: (app) => {
      allowAnyOrigin(app, ['GET', 'HEAD', 'POST'])
      const options = { bodyLimit: maxBodyBytes }
      app.post(pathV2, options, async (request, reply) =>
        answer(request, reply, readWish, async ({ chainPem }) => {
          const body = { signedCertificateEmbeddedSct: { chain: { certificates: chainPem } } }
          await reply.code(200).header('cache-control', 'no-store').type('application/json').send(JSON.stringify(body))
        }),
      )
      app.post(pathV1, options, async (request, reply) =>
        answer(request, reply, readWishV1, async ({ chainPem }) => {
          await reply
            .code(201)
            .header('cache-control', 'no-store')
            .type('application/pem-certificate-chain')
            .send(chainPem.join('').trimEnd())
        }),
      )
      app.get('/api/v1/rootCert', async (_request, reply) => {
        const chains = await parts.authorities.bundle()
        await reply.type('application/pem-certificate-chain').send(chains.flat().join('').trimEnd())
      })
      app.get('/api/v2/trustBundle', async (_request, reply) => {
        const chains = (await parts.authorities.bundle()).map((certificates) => ({ certificates }))
        await reply.type('application/json').send(JSON.stringify({ chains }))
      })
      app.get('/api/v2/configuration', async (_request, reply) => {
        await reply.type('application/json').send(configuration)
      })
    },
  }
}

function overloaded(): CountersignError {
  return new CountersignError('log_overloaded', 'too many certificates are asked for at this moment', { hint: 'Try again in a second.' })
}

function earlyRefusal(): EarlyRefusal {
  const { status, body } = refusalOf(overloaded(), '')
  return { status, body, headers: { 'retry-after': '1', 'cache-control': 'no-store', 'content-type': 'application/json' } }
}

/** Who asks: from which network address, and as whom, once that is proven; and how long they are to wait, when they asked too often. */
type Caller = { readonly from: string; actor: string; waitSeconds?: number }

/** In the order of the reference: who, which key, is it theirs; then how often; then the certificate, and the record of it before it is given away. */
async function issueFor(parts: FulcioServiceParts, limit: RateLimit, wish: CertificateWish, caller: Caller): Promise<IssuedCertificate> {
  const { issuer, claims } = await parts.verifyToken(wish.token)
  const principal = principalOf(issuer, claims)
  caller.actor = principal.name.value
  const key = await provenKey(wish.key, principal.proofTexts)
  demandRate(limit, principal, caller)
  const issued = await issueCertificate(parts, principal, key)
  await parts.audit.record({
    action: 'ca.certificate_issued',
    actor: caller.actor,
    subject: bytesToHex(issued.serial),
    from: caller.from,
    outcome: 'done',
    detail: { issuer: principal.issuer, name: principal.name.kind, key: key.type, authority: issued.authority, log_index: issued.logIndex },
  })
  return issued
}

function demandRate(limit: RateLimit, { issuer, name }: Principal, caller: Caller): void {
  const waitSeconds = limit(`${issuer}\n${name.kind}\n${name.value}`)
  if (waitSeconds === 0) return
  caller.waitSeconds = waitSeconds
  throw new CountersignError('issuance_throttled', 'this identity asked for too many certificates', {
    hint: `Try again in ${waitSeconds} seconds.`,
  })
}

type RefusalRecord = { readonly audit: Audit; readonly limit: RateLimit; readonly caller: Caller }

async function refuse(record: RefusalRecord, request: FastifyRequest, reply: FastifyReply, failure: unknown): Promise<void> {
  if (!isClientFailure(failure)) request.log.error({ err: failure }, 'no certificate was issued')
  const id = isClientFailure(failure) && record.limit('') === 0 ? await recordRefusal(record, failure) : request.id
  const { status, body, retryAfterSeconds } = refusalOf(failure, id, record.caller.waitSeconds)
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  await reply.code(status).header('cache-control', 'no-store').type('application/json').send(body)
}

async function recordRefusal({ audit, caller }: RefusalRecord, failure: CountersignError): Promise<string> {
  return audit.record({
    action: 'ca.certificate_refused',
    actor: caller.actor,
    subject: 'certificate',
    from: caller.from,
    outcome: 'refused',
    detail: { code: failure.code, ...(failure.found === undefined ? {} : { found: failure.found }) },
  })
}

async function readiness({ authorities, now }: FulcioServiceParts): ReturnType<NonNullable<Service['ready']>> {
  try {
    const { endsAt, name } = await authorities.issuing()
    return now() < endsAt ? { ok: true } : { ok: false, detail: `the chain of ${name} has ended` }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return { ok: false, detail: cause.message }
  }
}
