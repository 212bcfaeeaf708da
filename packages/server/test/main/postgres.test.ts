import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve } from '@countersign/server/main/serve'
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

describe('an installation on PostgreSQL', { timeout: 60_000 }, () => {
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

  it('never shows the password of its database', async () => {
    const { data, more } = await newPlace()
    const access = { environment: { DATABASE_URL: 'postgres://sign:hunter2@127.0.0.1:1/none' } }
    const failure: unknown = await serve(requestFor(data, { ...more, access })).catch((cause: unknown) => cause)
    expect(failure).toMatchObject({ code: 'database_failed' })
    expect(String(failure)).not.toContain('hunter2')
  })
})
