import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { type HttpOptions, type HttpPort, httpPort } from '@countersign/server/base/http/server'
import type { Service } from '@countersign/server/base/http/service'

/** A port on loopback that ends with the test, and the lines of its log. */
export async function openPort(
  services: readonly Service[],
  options: Partial<HttpOptions> = {},
): Promise<{ readonly url: string; readonly port: HttpPort; readonly lines: string[] }> {
  const lines: string[] = []
  const port = await httpPort({
    listen: { host: '127.0.0.1', port: 0 },
    limits: defaultHttpLimits,
    log: { level: 'info', format: 'json', write: (line) => lines.push(line) },
    trustedProxies: [],
    ...options,
  })
  const url = await port.open(services)
  onTestFinished(async () => {
    await port.drain(1000)
  })
  return { url, port, lines }
}

/** A folder that ends with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-http-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A self-signed certificate for localhost and its key, as `NAME.pem` and `NAME.key`. */
export function writeCertificate(folder: string, name: string): { readonly certificate: string; readonly key: string } {
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...key, '-keyout', files.key, '-out', files.certificate, ...subject], { stdio: 'ignore' })
  return files
}
