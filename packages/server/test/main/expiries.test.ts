import { writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { administer } from '@countersign/server/main/administer'
import { trustStatus } from '@countersign/server/main/ceremonies'
import { writeCertificate } from '../base/http/port.ts'
import { requestFor, serveIn, testFolder } from './starting.ts'

/** Over TLS, whoever has certified it. */
function read(url: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { rejectUnauthorized: false }, (response) => {
      const pieces: string[] = []
      response.setEncoding('utf8').on('data', (piece: string) => void pieces.push(piece))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: pieces.join('') }))
    })
    request.once('error', reject)
  })
}

const dayMs = 86_400_000

describe('what will end', { timeout: 120_000 }, () => {
  it('is in metrics, log, readiness, the page of the kit and the status of trust: everything that clients trust, and the TLS certificate', async () => {
    const folder = testFolder()
    const { certificate, key } = writeCertificate(folder, 'server')
    const config = join(folder, 'server.yaml')
    writeFileSync(config, `tls: { certificate: ${certificate}, key: ${key} }\n`)
    const data = join(folder, 'data')
    const lines: string[] = []
    let aheadMs = 0
    const clock = (): number => Date.now() + aheadMs
    const write = (line: string): void => void lines.push(line)
    const more = { config, clock, log: { write, isTerminal: false } }
    const first = await serveIn(data, more)
    const metrics = (await read(`${first.publicUrl}/metrics`)).text
    const names = ['root', 'targets', 'snapshot', 'timestamp', 'ca-intermediate-1', 'ca-intermediate-1-issuer-1', 'tsa-1', 'tsa-1-issuer-1']
    for (const name of names)
      expect(metrics).toMatch(new RegExp(`^countersign_trust_expires_timestamp_seconds\\{name="${name}"\\} [12][0-9]{9}$`, 'm'))
    expect(metrics).toMatch(/^countersign_tls_expires_timestamp_seconds [12][0-9]{9}$/m)
    expect((await read(`${first.publicUrl}/kit/`)).text).not.toContain('class="warning"')
    await first.stop()

    // The intermediate lives five years; its certificate ends in a month, that of the port has ended.
    aheadMs = 5 * 365.25 * dayMs - 30 * dayMs
    lines.length = 0
    const second = await serveIn(data, more)
    await expect.poll(() => lines.join('\n')).toContain('days left: the certificate of the certificate authority ca-intermediate-1 ends')
    expect(lines.join('\n')).toContain('ENDED: the TLS certificate')
    const page = (await read(`${second.publicUrl}/kit/`)).text
    expect(page).toContain('days left: the certificate of the certificate authority ca-intermediate-1')
    expect(page).toContain('ENDED: the TLS certificate')
    const { status, text } = await read(`${second.publicUrl}/readyz`)
    expect([status, JSON.parse(text)]).toMatchObject([
      503,
      {
        services: {
          tls: { ok: false },
          tuf: { ok: true, warnings: [expect.stringContaining('ca-intermediate-1')] },
          fulcio: { ok: true },
          tsa: { ok: true },
        },
      },
    ])
    const { access, workingFolder } = requestFor(data)
    const told = await administer({ data, config, access, workingFolder, clock, log: () => undefined }, 'none', trustStatus)
    expect(told.warnings).toMatchObject([expect.stringContaining('ca-intermediate-1 ends on')])
    expect(told.instances.find(({ role }) => role === 'tsa')?.certificateEnds).toMatch(/^20/)
    await second.stop()

    // Nobody did anything: the authority says why it does not issue.
    aheadMs += 60 * dayMs
    const third = await serveIn(data, more)
    expect(JSON.parse((await read(`${third.publicUrl}/readyz`)).text)).toMatchObject({ services: { fulcio: { ok: false } } })
  })
})
