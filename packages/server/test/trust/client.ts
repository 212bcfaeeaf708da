/** A TUF client of another hand (tuf-js), which reads the repository over HTTP and says what it found, at a time of the test's. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import Fastify from 'fastify'
import { Updater } from 'tuf-js'
import { vi } from 'vitest'
import { tufService } from '../../src/trust/service.ts'
import type { Ground } from './made.ts'

/** A repository on loopback. */
export type ServedTuf = { readonly url: string; readonly stop: () => Promise<void> }

/** Serves the repository of a ground under `/tuf`. */
export async function serveTuf(ground: Ground): Promise<ServedTuf> {
  const app = Fastify()
  const service = tufService({ ...ground, clock: ground.clock, expiries: async () => [], renewalFailures: () => 0 })
  await app.register(async (scope) => service.routes(scope), { prefix: service.prefix })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/tuf`, stop: () => app.close() }
}

/** A client with a memory: what it has seen once, it does not go back from. */
export type TufClient = {
  readonly update: (nowMs: number) => Promise<ReadonlyMap<string, string>>
  readonly rootVersion: () => number
  readonly remove: () => void
}

/** Starts from a root that the client trusts. */
export function tufClient(url: string, root: Uint8Array): TufClient {
  const folder = mkdtempSync(join(tmpdir(), 'tuf-client-'))
  const [metadataDir, targetDir] = [join(folder, 'metadata'), join(folder, 'targets')]
  for (const each of [metadataDir, targetDir]) mkdirSync(each)
  writeFileSync(join(metadataDir, 'root.json'), root)
  return {
    update: async (nowMs) => {
      vi.useFakeTimers({ now: nowMs, toFake: ['Date'] })
      try {
        const updater = new Updater({ metadataDir, metadataBaseUrl: url, targetDir, targetBaseUrl: `${url}/targets` })
        await updater.refresh()
        const found = new Map<string, string>()
        for (const name of ['trusted_root.json', 'signing_config.v0.2.json', 'rekor.pub', 'ctfe.pub', 'fulcio_v1.crt.pem']) {
          const info = await updater.getTargetInfo(name)
          if (info === undefined) throw new CountersignError('trust_missing', name)
          found.set(name, readFileSync(await updater.downloadTarget(info, join(targetDir, name)), 'utf8'))
        }
        return found
      } finally {
        vi.useRealTimers()
      }
    },
    rootVersion: () => (JSON.parse(readFileSync(join(metadataDir, 'root.json'), 'utf8')) as { signed: { version: number } }).signed.version,
    remove: () => rmSync(folder, { recursive: true }),
  }
}
