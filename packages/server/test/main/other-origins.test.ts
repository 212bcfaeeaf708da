import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Serving } from '@countersign/server/main/serve'
import { digestOf, logged, newKey } from './logging.ts'
import { serveIn, testFolder } from './starting.ts'

async function sizes({ publicUrl }: Serving): Promise<readonly number[]> {
  const first = (await (await fetch(`${publicUrl}/rekor/api/v1/log`)).json()) as { readonly treeSize: number }
  const second = await (await fetch(`${publicUrl}/rekor2/api/v2/checkpoint`)).text()
  return [first.treeSize, Number(second.split('\n')[1])]
}

describe('attack: a page in a browser on the machine of a log that takes entries of anybody', { timeout: 60_000 }, () => {
  it('has nothing logged, with a request that browsers send without asking before, whatever origin they say', async () => {
    const serving = await serveIn(join(testFolder(), 'data'))
    const key = newKey()
    const origins = [
      'https://page.example',
      'http://localhost:1',
      'null',
      `${serving.publicUrl}.page.example`,
      `https://page.example/${new URL(serving.publicUrl).host}`,
    ]
    for (const version of [1, 2] as const) {
      for (const origin of origins) {
        const { status } = await logged(serving, key, 'a', version, { origin, 'content-type': 'text/plain' })
        expect([version, origin, status]).toEqual([version, origin, 403])
      }
    }
    expect(await sizes(serving)).toEqual([0, 0])
    for (const version of [1, 2] as const) {
      expect((await logged(serving, key, 'a', version)).status).toBe(201)
      expect((await logged(serving, key, 'b', version, { origin: serving.publicUrl })).status).toBe(201)
    }
  })

  it('may look entries up, as it may with the reference: also by those reads that are a POST', async () => {
    const serving = await serveIn(join(testFolder(), 'data'))
    await logged(serving, newKey(), 'a', 1)
    const url = `${serving.publicUrl}/rekor/api/v1`
    const headers = { origin: 'https://page.example', 'content-type': 'application/json' }
    const found = await fetch(`${url}/index/retrieve`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ hash: `sha256:${digestOf('a')}` }),
    })
    const [uuid = ''] = (await found.json()) as readonly string[]
    expect([found.status, found.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
    const retrieved = await fetch(`${url}/log/entries/retrieve`, { method: 'POST', headers, body: JSON.stringify({ entryUUIDs: [uuid] }) })
    expect([retrieved.status, ((await retrieved.json()) as readonly object[]).length]).toEqual([200, 1])
    expect((await fetch(`${url}/log/entries/${uuid}`, { headers })).headers.get('access-control-allow-origin')).toBe('*')
  })
})
