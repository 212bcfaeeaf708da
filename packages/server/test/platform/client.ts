/** A careful client of a whole installation: sends what the benches send, judges answers under the trusted root, and remembers. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { ServeRequest } from '@countersign/server/main/plan'
import { judgeOf, type Acknowledged, type Judge } from '../../../../bench/service-answers.ts'
import {
  type BenchIssuer,
  benchIssuer,
  certificateWish,
  rekor1Wish,
  rekor2Wish,
  type ServiceRequest,
  timestampWish,
} from '../../../../bench/service-requests.ts'
import { logCopy, treesSeen } from '../../../../bench/trees-seen.ts'

export const issuer: BenchIssuer = benchIssuer()

/** What a server is started with so that it takes the tokens of {@link issuer}. */
export function trustingIssuer(folder: string, more: object = {}): Pick<ServeRequest, 'config'> {
  const config = join(folder, 'server.json')
  writeFileSync(config, issuer.configuration({ ...more, logging: { level: 'error' } }))
  return { config }
}

/** What became of a request: `acknowledged` when it was answered with success, which was judged. */
type Outcome = { readonly status: number; readonly retryAfter: string | null; readonly acknowledged?: Acknowledged | undefined }

export type Client = {
  readonly rekor2: () => Promise<Outcome>
  readonly rekor1: () => Promise<Outcome & { readonly answer: string }>
  readonly certificate: () => Promise<Outcome>
  readonly timestamp: () => Promise<Outcome>
  /** Demands that everything acknowledged is in the logs of now, and that every tree seen is a beginning of them. */
  readonly demandAll: () => Promise<void>
  readonly ready: () => Promise<{ readonly status: number; readonly text: string }>
  readonly get: (path: string) => Promise<Response>
}

let people = 0

/** A client of the server at `url`, which calls itself `publicUrl`. */
export async function clientOf(url: string, publicUrl: string = url): Promise<Client> {
  const get = (path: string): Promise<Response> => fetch(`${url}${path}`)
  const judge: Judge = judgeOf(parseTrustedRoot(await (await get('/kit/trusted_root.json')).text()), `${new URL(publicUrl).host}/ct`)
  const seen = { rekor2: treesSeen('rekor2'), ct: treesSeen('ct') }
  const ids: string[] = []
  const fileOf =
    (base: string) =>
    async (path: string): Promise<Uint8Array> =>
      new Uint8Array(await (await get(`${base}/${path}`)).arrayBuffer())
  const send = async ({ path, type, body, headers = {} }: ServiceRequest): Promise<Outcome & { readonly bytes: Uint8Array }> => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: Buffer.from(body), headers: { 'content-type': type, ...headers } })
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), bytes: new Uint8Array(await answer.arrayBuffer()) }
  }
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
  return {
    get,
    rekor2: async () => {
      const wish = rekor2Wish()
      const { bytes, ...outcome } = await send(wish)
      if (outcome.status !== 201) return outcome
      const acknowledged = await judge.rekor2(wish, text(bytes))
      seen.rekor2.entry(acknowledged.index, acknowledged.leafHash)
      if (acknowledged.tree !== undefined) seen.rekor2.tree(acknowledged.tree)
      return { ...outcome, acknowledged }
    },
    rekor1: async () => {
      const wish = rekor1Wish(people++)
      const { bytes, ...outcome } = await send(wish)
      if (outcome.status !== 201) return { ...outcome, answer: text(bytes) }
      const acknowledged = await judge.rekor1(text(bytes), wish)
      ids.push(acknowledged.id ?? '')
      return { ...outcome, acknowledged, answer: text(bytes) }
    },
    certificate: async () => {
      const wish = certificateWish(issuer, `person-${people++}@example.com`)
      const { bytes, ...outcome } = await send(wish)
      if (outcome.status !== 200) return outcome
      const { signedCertificateEmbeddedSct: signed } = JSON.parse(text(bytes)) as {
        readonly signedCertificateEmbeddedSct: { readonly chain: { readonly certificates: readonly string[] } }
      }
      const acknowledged = await judge.certificate(wish, signed.chain.certificates.join(''))
      seen.ct.entry(acknowledged.index, acknowledged.leafHash)
      return { ...outcome, acknowledged }
    },
    timestamp: async () => {
      const wish = timestampWish()
      const { bytes, ...outcome } = await send(wish)
      if (outcome.status === 200 || outcome.status === 201) await judge.timestamp(wish, bytes)
      return outcome
    },
    demandAll: async () => {
      const copies = {
        rekor2: logCopy('rekor2', 'entries', fileOf('/rekor2/api/v2')),
        ct: logCopy('ct', 'data', fileOf('/ct')),
      }
      const notes = { rekor2: '/rekor2/api/v2/checkpoint', ct: '/ct/checkpoint' }
      for (const log of ['rekor2', 'ct'] as const) {
        await copies[log].follow(await judge.checkpoint(log, await (await get(notes[log])).text()), seen[log])
      }
      for (const id of ids) await judge.rekor1(await (await get(`/rekor/api/v1/log/entries/${id}`)).text())
    },
    ready: async () => {
      const answer = await get('/readyz')
      return { status: answer.status, text: await answer.text() }
    },
  }
}
