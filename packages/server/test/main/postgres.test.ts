import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { administer } from '@countersign/server/main/administer'
import { confirmClock } from '@countersign/server/main/clock'
import { rotateKey } from '@countersign/server/main/rotation'
import { serve, type Serving } from '@countersign/server/main/serve'
import { digestOf, logged, newKey } from './logging.ts'
import { requestFor, serveIn, testFolder } from './starting.ts'

const failsWith = (code: string): unknown => expect.objectContaining({ code })

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await startPostgres()
}, 60_000)
afterAll(() => postgres.stop())

/** A configuration beside the data folder, and an environment with the database's URL. */
async function newPlace(): Promise<{ readonly data: string; readonly more: object }> {
  const folder = testFolder()
  writeFileSync(join(folder, 'server.yaml'), 'database: { kind: postgres, url: env:DATABASE_URL }\n')
  const access = { environment: { DATABASE_URL: await postgres.database() } }
  return { data: join(folder, 'data'), more: { config: join(folder, 'server.yaml'), access } }
}

const checkpointOf = async (listening: string): Promise<string> => (await fetch(`${listening}/rekor2/api/v2/checkpoint`)).text()

describe('an installation on PostgreSQL', { timeout: 120_000 }, () => {
  it('is served by several processes at once: on one folder, and on a copy of it', async () => {
    const { data, more } = await newPlace()
    const first = await serveIn(data, more)
    const second = await serveIn(data, { ...more, listen: 'localhost:0' })
    const copy = `${data}-copy`
    cpSync(data, copy, { recursive: true })
    const third = await serveIn(copy, { ...more, listen: '[::1]:0' })
    expect([first.firstStart, second.firstStart, third.firstStart]).toEqual([true, false, false])
    for (const { listening, publicUrl } of [first, second, third]) {
      expect(publicUrl).toBe(first.publicUrl)
      expect((await fetch(`${listening}/readyz`)).status).toBe(200)
      expect(await checkpointOf(listening)).toBe(await checkpointOf(first.listening))
    }
  })

  it('has no SQLite, and does not begin in the database of another', async () => {
    const { data, more } = await newPlace()
    await (await serveIn(data, more)).stop()
    await expect(serve(requestFor(`${data}-other`, more))).rejects.toThrow(failsWith('data_folder_occupied'))
    expect((await serveIn(data, more)).firstStart).toBe(false)
  })

  it('does not go on with an empty database', async () => {
    const { data, more } = await newPlace()
    await (await serveIn(data, more)).stop()
    const access = { environment: { DATABASE_URL: await postgres.database() } }
    await expect(serve(requestFor(data, { ...more, access }))).rejects.toThrow(failsWith('database_missing'))
  })

  it('is one witness, one search index and one clock to vouch for, in every process', async () => {
    const { data, more } = await newPlace()
    const first = await serveIn(data, more)
    const log = (await (await fetch(`${first.listening}/rekor2/verifier-key`)).text()).trim()
    await first.stop()
    const config = join(data, '..', 'witness.yaml')
    writeFileSync(config, `database: { kind: postgres, url: env:DATABASE_URL }\nlog: { witnessFor: ['${log}'] }\n`)
    const servers = await Promise.all(['127.0.0.1:0', 'localhost:0'].map(async (listen) => serveIn(data, { ...more, config, listen })))
    const keys = await Promise.all(servers.map(async ({ listening }) => (await fetch(`${listening}/witness/verifier-key`)).text()))
    expect(keys[0]?.split('\n')).toHaveLength(3)
    expect(keys[1]).toBe(keys[0])
    const [one, two] = servers as [Serving, Serving]
    const key = newKey()
    const { status, checkpoint } = await logged({ ...one, publicUrl: one.listening }, key, 'a')
    expect(status).toBe(201)
    for (const [{ listening }, answer] of [
      [one, 200],
      [two, 409],
    ] as const) {
      const reply = await fetch(`${listening}/witness/add-checkpoint`, { method: 'POST', body: `old 0\n\n${checkpoint}` })
      expect(reply.status).toBe(answer)
      const found = await fetch(`${listening}/rekor2/search?digest=${digestOf('a')}&key=${digestOf(key.pem)}`)
      expect(await found.json()).toMatchObject({ entries: [{ index: 0 }], complete: true })
    }
    const { listen: _, ...request } = requestFor(data, { ...more, config })
    expect(await administer({ ...request, log: () => undefined }, 'none', async (at) => confirmClock(at, { name: 'ada' }))).toEqual({
      sources: 0,
    })
  })

  it('has the new key of the identity provider in every process before one of them signs with it', async () => {
    const { data, more } = await newPlace()
    const servers = [await serveIn(data, more), await serveIn(data, { ...more, listen: 'localhost:0' })]
    const published = () =>
      Promise.all(
        servers.map(async ({ listening }) => {
          const { keys } = (await (await fetch(`${listening}/oidc/jwks`)).json()) as { readonly keys: readonly { readonly kid: string }[] }
          return keys.map(({ kid }) => kid).join()
        }),
      )
    const { listen: _, ...request } = requestFor(data, more)
    const rotated = await administer({ ...request, log: () => undefined }, 'none', async (at) => rotateKey(at, 'oidc', { name: 'ada' }))
    expect(rotated.name).toBe('oidc-2')
    await expect.poll(published, { timeout: 4_500, interval: 100 }).toEqual(['oidc-1,oidc-2', 'oidc-1,oidc-2'])
    await expect.poll(published, { timeout: 10_000, interval: 100 }).toEqual(['oidc-2,oidc-1', 'oidc-2,oidc-1'])
  })

  it('never shows the password of its database', async () => {
    const { data, more } = await newPlace()
    const access = { environment: { DATABASE_URL: 'postgres://sign:hunter2@127.0.0.1:1/none' } }
    const failure: unknown = await serve(requestFor(data, { ...more, access })).catch((cause: unknown) => cause)
    expect(failure).toMatchObject({ code: 'database_failed' })
    expect(String(failure)).not.toContain('hunter2')
  })
})
