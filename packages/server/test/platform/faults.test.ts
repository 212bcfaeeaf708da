import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { serve } from '@countersign/server/main/serve'
import { requestFor, serveIn, testFolder } from '../main/starting.ts'
import { clientOf, trustingIssuer, type Client } from './client.ts'

/** Adds until it works, as clients do. */
async function untilTaken(add: () => Promise<{ readonly status: number; readonly retryAfter: string | null }>): Promise<void> {
  await expect.poll(async () => (await add()).status, { timeout: 60_000, interval: 100 }).toBeLessThan(300)
}

async function demandService(client: Client): Promise<void> {
  for (const add of [client.rekor2, client.rekor1, client.certificate, client.timestamp]) await untilTaken(add)
  await client.demandAll()
  await expect.poll(async () => (await client.ready()).status).toBe(200)
}

describe('a server whose disk fails', { timeout: 180_000 }, () => {
  it('acknowledges nothing that was not synced, says that clients shall come back, stamps on, and goes on by itself', async () => {
    const folder = testFolder()
    let broken = false
    const step = (name: string): void => {
      if (broken && name.startsWith('blob sync log/')) throw Object.assign(new RangeError('failed fsync'), { code: 'EIO' })
    }
    const serving = await serveIn(join(folder, 'data'), { ...trustingIssuer(folder), step })
    const client = await clientOf(serving.listening, serving.publicUrl)
    await demandService(client)
    broken = true
    for (const add of [client.rekor2, client.rekor1, client.certificate]) {
      const { status, retryAfter } = await add()
      expect([status, retryAfter === null]).toEqual([503, false])
    }
    expect((await client.timestamp()).status).toBe(200)
    expect(await client.ready()).toMatchObject({ status: 503, text: expect.stringContaining('EIO') as string })
    broken = false
    await demandService(client)
  })

  it('refuses while the disk is full or read-only, and has everything that it acknowledged when there is room again', async () => {
    const disk = smallDisk()
    if (disk === undefined) return console.warn('skipped: this account may not mount a file system')
    const folder = testFolder()
    const data = join(disk.path, 'data')
    const serving = await serveIn(data, trustingIssuer(folder))
    const client = await clientOf(serving.listening, serving.publicUrl)
    await demandService(client)
    disk.fill()
    const refused = await untilRefused(client.rekor2)
    expect(refused.every(({ status, retryAfter }) => status === 201 || (status === 503 && retryAfter !== null))).toBe(true)
    for (const add of [client.rekor1, client.certificate]) expect(await add()).not.toMatchObject({ retryAfter: null, status: 503 })
    disk.empty()
    await demandService(client)
    disk.readOnly(true, join(data, 'blobs'))
    expect((await untilRefused(client.rekor2)).at(-1)).toMatchObject({ status: 503 })
    expect((await client.get('/rekor2/api/v2/checkpoint')).status).toBe(200)
    disk.readOnly(false, join(data, 'blobs'))
    await demandService(client)
    await serving.stop()
    disk.readOnly(true, data)
    await expect(serve(requestFor(data, trustingIssuer(folder)))).rejects.toMatchObject({
      message: expect.stringContaining(data) as string,
    })
    disk.readOnly(false, data)
    expect((await serveIn(data, trustingIssuer(folder))).firstStart).toBe(false)
  })

  it('says which tile is torn, signs nothing over it, and does not serve it', async () => {
    const folder = testFolder()
    const data = join(folder, 'data')
    const first = await serveIn(data, trustingIssuer(folder))
    const client = await clientOf(first.listening, first.publicUrl)
    for (let i = 0; i < 3; i++) await client.rekor2()
    const before = await (await client.get('/rekor2/api/v2/checkpoint')).text()
    await first.stop()
    // The last batch would be written again from its staged rows: what it grows from cannot be.
    truncateSync(join(data, 'blobs/log/rekor2-1/tile/0/000.p/2'), 40)
    const second = await serveIn(data, { ...trustingIssuer(folder) })
    const again = await clientOf(second.listening, second.publicUrl)
    await expect.poll(async () => (await again.ready()).text).toContain('tile/0/000.p/2')
    expect(await again.rekor2()).toMatchObject({ status: 503 })
    expect(await (await again.get('/rekor2/api/v2/checkpoint')).text()).toBe(before)
    expect((await again.get('/rekor2/api/v2/tile/0/000.p/2')).status).toBeGreaterThanOrEqual(500)
    // The other logs are whole.
    expect((await again.rekor1()).status).toBe(201)
    expect((await again.certificate()).status).toBe(200)
  })
})

async function untilRefused(add: Client['rekor2']): Promise<Awaited<ReturnType<Client['rekor2']>>[]> {
  const outcomes: Awaited<ReturnType<Client['rekor2']>>[] = []
  while (outcomes.length < 200 && outcomes.at(-1)?.status !== 503) outcomes.push(await add())
  return outcomes
}

type SmallDisk = {
  readonly path: string
  readonly fill: () => void
  readonly empty: () => void
  /** A folder below it. */
  readonly readOnly: (only: boolean, folder: string) => void
}

/** A file system of 24 MiB in memory; `undefined` where none may be mounted. */
function smallDisk(): SmallDisk | undefined {
  const path = testFolder()
  const run = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0
  if (process.getuid?.() !== 0 || !run('mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', path)) return undefined
  onTestFinished(() => void run('umount', '-l', path))
  const junk = join(path, 'junk')
  return {
    path,
    fill: () => {
      mkdirSync(junk, { recursive: true })
      for (const size of [1 << 20, 4096]) {
        for (let i = 0; ; i++) {
          try {
            writeFileSync(join(junk, `${size}-${i}`), Buffer.alloc(size))
          } catch (thrown) {
            if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown
            break
          }
        }
      }
    },
    empty: () => {
      for (const name of readdirSync(junk)) rmSync(join(junk, name))
    },
    readOnly: (only, folder) => {
      const done = only
        ? run('mount', '--bind', folder, folder) && run('mount', '-o', 'remount,bind,ro', folder)
        : run('umount', '-l', folder)
      expect(done).toBe(true)
    },
  }
}
