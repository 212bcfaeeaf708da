import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { administer } from '@countersign/server/main/administer'
import { fsckInstallation } from '@countersign/server/main/fsck'
import { requestFor, testFolder } from '../main/starting.ts'
import { clientOf, trustingIssuer } from './client.ts'

type Place = { readonly listening: string; readonly publicUrl: string }

/** A server in a process of its own: what is done to its calls of the system is done to nobody else. */
async function started(data: string, config: string): Promise<{ readonly server: ChildProcess; readonly place: Place }> {
  const program = resolve(import.meta.dirname, 'serving.ts')
  const server = spawn(process.execPath, ['--conditions=source', program, data, config], { stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(() => void server.kill('SIGKILL'))
  const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string]
  return { server, place: JSON.parse(line) as Place }
}

/** From now on every fsync of the process fails, of blobs and of the database, until the end is called: for one that lives `SIGINT`, which detaches. */
function failSyncs(pid: number): (signal: 'SIGINT' | 'SIGKILL') => Promise<void> {
  const calls = 'fsync,fdatasync'
  const tracer = spawn(
    'strace',
    ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`, '-p', String(pid)],
    {
      stdio: 'ignore',
    },
  )
  const ended = once(tracer, 'exit')
  return async (signal) => {
    tracer.kill(signal)
    await ended
  }
}

const mayTrace = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0

describe('a server whose every fsync fails, that of the database too', { timeout: 180_000 }, () => {
  it('acknowledges nothing meanwhile, says so, and has everything that it acknowledged: when it goes on, and when it is killed there', async () => {
    if (!mayTrace) return console.warn('skipped: there is no strace that may fail calls of the system')
    const folder = testFolder()
    const data = join(folder, 'data')
    const { config = '' } = trustingIssuer(folder)
    const { server, place } = await started(data, config)
    const client = await clientOf(place.listening, place.publicUrl)
    const adds = [client.rekor2, client.rekor1, client.certificate] as const
    const demandService = async (): Promise<void> => {
      for (const add of adds) await expect.poll(async () => (await add()).status, { timeout: 60_000, interval: 100 }).toBeLessThan(300)
      await client.demandAll()
      await expect.poll(async () => (await client.ready()).status, { timeout: 20_000 }).toBe(200)
    }
    await demandService()
    for (const dies of [false, true]) {
      const end = failSyncs(server.pid ?? 0)
      await expect.poll(async () => (await client.rekor2()).status, { timeout: 30_000 }).toBeGreaterThanOrEqual(500)
      for (let round = 0; round < 3; round++)
        for (const add of adds) expect(await add()).toMatchObject({ status: 503, retryAfter: expect.any(String) as string })
      expect((await client.get('/rekor2/api/v2/checkpoint')).status).toBe(200)
      expect((await client.ready()).status).toBe(503)
      if (dies) server.kill('SIGKILL')
      // To detach from a process that dies under it, a tracer waits for threads that wait for it.
      await end(dies ? 'SIGKILL' : 'SIGINT')
      if (!dies) await demandService()
    }
    const again = await started(data, config)
    const later = await clientOf(again.place.listening, again.place.publicUrl)
    for (const add of [later.rekor2, later.rekor1, later.certificate])
      await expect.poll(async () => (await add()).status, { timeout: 60_000 }).toBeLessThan(300)
    await client.demandAll()
    again.server.kill('SIGTERM')
    await once(again.server, 'exit')
    const { access, workingFolder, clock } = requestFor(data)
    const request = { data, config, access, workingFolder, clock, log: () => undefined }
    const proof = await administer(request, 'alone', (installation) => fsckInstallation(installation))
    expect(proof).toMatchObject({ ok: true })
  })
})
