import { describe, expect, it } from 'vitest'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync } from 'node:fs'
import { tlsExpiry, tlsExpiryService } from '@countersign/server/base/http/tls-expiry'
import { openPort, testFolder, writeCertificate } from './port.ts'

const hourMs = 3_600_000

/** The service over a certificate for two days, by a clock of the test's, on a port; and what it logged. */
async function watched(aheadMs: number) {
  const files = writeCertificate(testFolder(), 'short')
  const lines: string[] = []
  const write = (fields: object, text: string): void => void lines.push(`${text} ${JSON.stringify(fields)}`)
  const log = { warn: write, error: write }
  const service = tlsExpiryService(files, () => Date.now() + aheadMs, log)
  const { url } = await openPort([service])
  await expect.poll(() => service.ready?.()).toBeDefined()
  const state = async () => {
    const reply = await fetch(`${url}/readyz`)
    return { status: reply.status, tls: ((await reply.json()) as { readonly services: { readonly tls: unknown } }).services.tls }
  }
  return { files, lines, url, state }
}

describe('the end of the TLS certificate', () => {
  it('is in the metrics from the first day, and silent while it is far', async () => {
    const { url, files, lines, state } = await watched(0)
    const ends = Date.parse(new X509Certificate(readFileSync(files.certificate)).validTo) / 1000
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(`countersign_tls_expires_timestamp_seconds ${ends}`)
    expect([await state(), lines]).toEqual([{ status: 200, tls: { ok: true } }, []])
  })

  it('is said when the last quarter of its life begins: programs have renewed it by then', async () => {
    const { lines, state, files } = await watched(37 * hourMs)
    expect(await state()).toMatchObject({
      status: 200,
      tls: { ok: true, warnings: [expect.stringMatching(/^less than a day left: the TLS certificate /)] },
    })
    await expect.poll(() => lines).toMatchObject([expect.stringMatching(/^certificate ends .*less than a day left: .*read within seconds/)])
    expect((await tlsExpiry(files)).atMostMs).toBe(12 * hourMs)
  })

  it('makes the process unready when it has come: clients refuse it', async () => {
    const { lines, state, files } = await watched(49 * hourMs)
    expect(await state()).toMatchObject({
      status: 503,
      tls: { ok: false, detail: expect.stringMatching(/^ENDED: the TLS certificate /) as string },
    })
    await expect.poll(() => lines).toMatchObject([expect.stringContaining('ENDED')])
    // Whoever renews it does not have to say so.
    const renewed = writeCertificate(testFolder(), 'renewed')
    copyFileSync(renewed.certificate, files.certificate)
    expect((await tlsExpiry(files)).endsMs).toBe(Date.parse(new X509Certificate(readFileSync(renewed.certificate)).validTo))
  })
})
