import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { administer } from '@countersign/server/main/administer'
import { searchLogs } from '@countersign/server/main/log-search'
import type { Serving } from '@countersign/server/main/serve'
import type { LoggedHit } from '@countersign/core/rekor/search-answer'
import { digestOf, logged, newKey } from './logging.ts'
import { requestFor, serveIn, testFolder } from './starting.ts'

type Answer = { readonly status: number; readonly entries: readonly LoggedHit[]; readonly complete: boolean; readonly message?: string }

async function search(serving: Serving, query: Record<string, string> | string): Promise<Answer> {
  const text = typeof query === 'string' ? query : new URLSearchParams(query).toString()
  const reply = await fetch(`${serving.publicUrl}/rekor2/search?${text}`)
  return { status: reply.status, ...((await reply.json()) as object) } as Answer
}

describe('search over the logs', { timeout: 120_000 }, () => {
  it('finds entries of both by digest and by key, as soon as they are logged, and tells what is in them', async () => {
    const serving = await serveIn(join(testFolder(), 'data'))
    const [one, two] = [newKey(), newKey()]
    await logged(serving, one, 'a', 2)
    await logged(serving, two, 'b', 2)
    await logged(serving, one, 'a', 1)
    const key = digestOf(one.pem)
    const { status, entries, complete } = await search(serving, { digest: digestOf('a') })
    expect([status, complete, entries.length]).toEqual([200, true, 2])
    const v2 = entries.find(({ log: name }) => name === 'rekor2-1')
    expect(v2).toEqual({
      log: 'rekor2-1',
      index: 0,
      kind: 'hashedrekord 0.0.2',
      digest: [`sha256:${digestOf('a')}`],
      key: [key],
      identity: [],
      unverifiedIdentity: [],
      integratedAt: expect.stringMatching(/^20[0-9]{2}-.*Z$/) as string,
    })
    const v1 = entries.find((entry) => entry !== v2)
    expect(v1).toMatchObject({ kind: 'hashedrekord 0.0.1', index: 0, key: [key] })
    // What stock clients ask for.
    expect(Object.keys((await (await fetch(`${serving.publicUrl}/rekor/api/v1/log/entries/${v1?.uuid}`)).json()) as object)).toEqual([
      v1?.uuid,
    ])
    for (const wanted of [{ key }, { key: one.pem }, { key, digest: `sha256:${digestOf('a').toUpperCase()}` }])
      expect((await search(serving, wanted)).entries).toHaveLength(2)
    expect((await search(serving, { key: digestOf(two.pem) })).entries).toMatchObject([{ index: 1 }])
    for (const nothing of [{ key: digestOf(two.pem), digest: digestOf('a') }, { digest: digestOf('c') }, { email: 'ada@example.org' }])
      expect(await search(serving, nothing)).toMatchObject({ status: 200, entries: [], complete: true })
  })

  it('finds the same by what is stored, beside the server and without it', async () => {
    const data = join(testFolder(), 'data')
    const serving = await serveIn(data)
    const key = newKey()
    await logged(serving, key, 'a', 1)
    await logged(serving, key, 'b', 2)
    const { entries } = await search(serving, { key: key.pem })
    const { access, workingFolder, clock } = requestFor(data)
    const stored = (query: Record<string, string>) =>
      administer({ data, access, workingFolder, clock, log: () => undefined }, 'none', (at) => searchLogs(at, query))
    expect(await stored({ key: key.pem })).toEqual({ entries, complete: true })
    await serving.stop()
    expect(await stored({ key: key.pem })).toEqual({ entries, complete: true })
    expect(await stored({ digest: digestOf('c') })).toEqual({ entries: [], complete: true })
    await expect(stored({ name: 'x' })).rejects.toMatchObject({ code: 'usage' })
  })

  it('gives a hundred at most, and says when there are more', async () => {
    const serving = await serveIn(join(testFolder(), 'data'))
    const key = newKey()
    await Promise.all(Array.from({ length: 101 }, async (_, i) => logged(serving, key, String(i), 2)))
    const { entries, complete } = await search(serving, { key: key.pem })
    expect([entries.length, complete]).toEqual([100, false])
    expect(new Set(entries.map(({ index }) => index)).size).toBe(100)
  })

  it('refuses what it does not know', async () => {
    const serving = await serveIn(join(testFolder(), 'data'))
    const queries = [
      '',
      'digest=',
      'digest=xyz',
      `digest=${'a'.repeat(41)}`,
      'key=1',
      'name=x',
      `digest=${'a'.repeat(64)}&digest=${'b'.repeat(64)}`,
    ]
    for (const query of queries) expect([query, (await search(serving, query)).status]).toEqual([query, 400])
    expect((await search(serving, `email=${'x'.repeat(9000)}`)).status).toBe(400)
  })
})
