/** When the certificate of the port ends: in the log, in the metrics and in the readiness of every process that has one. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Expiry } from '@countersign/core/expiry/expiry'
import { Gauge } from 'prom-client'
import type { Clock } from '../clock.ts'
import { expiryWarnings, warningLog } from '../expiry.ts'
import type { Service } from './service.ts'
import type { TlsFiles } from './tls.ts'

const hourMs = 60 * 60 * 1000
const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]{1,65536}?-----END CERTIFICATE-----/g

/**
 * The end of the first certificate of the file that ends. Certificates that are renewed by programs live shorter than eight weeks: of those it is
 * said when the last quarter begins, by when they should have been renewed.
 */
export async function tlsExpiry({ certificate }: Pick<TlsFiles, 'certificate'>): Promise<Expiry> {
  const blocks = (await readFile(certificate, 'utf8')).match(pemBlock) ?? []
  const chain = blocks.map((pem) => new X509Certificate(pem))
  const [own] = chain
  const endsMs = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)))
  const livesMs = own === undefined ? 0 : Date.parse(own.validTo) - Date.parse(own.validFrom)
  const next = 'Put a new one in its place: it is read within seconds; clients refuse the connection after that day.'
  return { what: `the TLS certificate ${certificate}`, endsMs, atMostMs: livesMs / 4, next }
}

type EndLog = Record<'warn' | 'error', (fields: object, text: string) => void>

/** Watches the certificate: a service without paths. */
export function tlsExpiryService(files: Pick<TlsFiles, 'certificate'>, clock: Clock, log: EndLog): Service {
  const warnings = async (): Promise<readonly string[]> => expiryWarnings([await tlsExpiry(files)], clock())
  const say = warningLog(log, 'certificate ends')
  const look = async (): Promise<void> => {
    try {
      say(await warnings())
    } catch (err) {
      log.error({ err }, 'end of the certificate not read')
    }
  }
  void look()
  const timer = setInterval(() => void look(), hourMs)
  timer.unref()
  return {
    name: 'tls',
    prefix: '/tls',
    routes: () => undefined,
    metrics: (registry) => {
      const ends: Gauge = new Gauge({
        name: 'countersign_tls_expires_timestamp_seconds',
        help: 'When the TLS certificate of this process ends',
        registers: [registry],
        collect: async () => ends.set((await tlsExpiry(files)).endsMs / 1000),
      })
    },
    ready: async () => {
      const [first, ...more] = await warnings()
      if (first?.startsWith('ENDED') === true) return { ok: false, detail: first }
      return first === undefined ? { ok: true } : { ok: true, warnings: [first, ...more] }
    },
    close: async () => clearInterval(timer),
  }
}
