import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { createRegistryRun } from '../src/open-repository.ts'
import { purposeOf } from '../src/purpose.ts'
import { signImage } from '../src/sign/image.ts'
import { createTraceLog, tracedClient, type TraceEvent } from '../src/trace.ts'
import { verifyImage } from '../src/verify/image.ts'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { startTestRegistry } from '@countersign/testkit/registry/server'
import { describe, expect, it } from 'vitest'
import type { HttpClient } from '../src/http/client.ts'

const hex = 'a'.repeat(64)

describe('a traced run', () => {
  it('tells of every request that the registry saw, with status, size and time, and says what it is for', async () => {
    const registry = await startTestRegistry()
    const image = parseReference(`${registry.host}/team/app:1`)
    const run = createRegistryRun({ environment: {} })
    await pushImage(await run.open(image.place), 'traced', '1')
    run.close()
    const signer = testSigner()
    await signImage({
      image,
      signer,
      annotations: {},
      layout: 'bundle',
      recursive: false,
      upload: true,
      connection: { environment: {} },
    })
    registry.clearLog()
    const log = createTraceLog()
    const policy = keyPolicy([signer])
    const result = await verifyImage({ image, policy, nowMs: Date.now(), connection: { environment: {}, trace: log.trace } })
    const asked = registry.log.map((entry) => `${entry.method} ${entry.status}`).toSorted()
    await registry.stop()
    expect(result.ok).toBe(true)
    const requests = log.events.filter((event) => event.kind === 'request')
    expect(requests.map((event) => `${event.method} ${event.status}`).toSorted()).toEqual(asked)
    expect(requests.every((event) => event.ms >= 0 && event.host === registry.host)).toBe(true)
    const purposes = requests.map((event) => event.purpose)
    expect(purposes).toContain('what refers to the image (referrers API)')
    expect(purposes).toContain('the content of a signature')
    expect(requests.filter((event) => event.purpose === 'the content of a signature')[0]?.bytes).toBeGreaterThan(100)
  })

  it('holds no credential: neither headers nor what a redirect carries in its query', async () => {
    const event = await oneEvent('https://user:secret@cdn.example/blob?X-Amz-Signature=s3cr3t&n=5#frag')
    expect(JSON.stringify(event)).not.toMatch(/s3cr3t|secret|frag/)
    expect(event).toMatchObject({ url: 'https://cdn.example/blob?X-Amz-Signature=…&n=5', purpose: 'a token or redirected content' })
  })

  it('tells of a request that failed, and the failure is the same as without it', async () => {
    const failing: HttpClient = {
      send: () => Promise.reject(new CountersignError('registry_unreachable', 'gone')),
      deadline: {} as never,
      close: () => undefined,
    }
    const log = createTraceLog()
    const sent = tracedClient(failing, log.trace).send({ method: 'GET', url: new URL('https://registry.example/v2/') })
    await expect(sent).rejects.toMatchObject({ code: 'registry_unreachable' })
    expect(log.events).toMatchObject([{ kind: 'request', failure: 'registry_unreachable', bytes: 0 }])
  })

  it('keeps a bounded number of events, and counts the rest', () => {
    const log = createTraceLog(2)
    for (let at = 0; at < 5; at++) log.trace({ kind: 'reused', purpose: `${at}`, bytes: 0 })
    expect([log.events.length, log.dropped()]).toEqual([2, 3])
    log.stop()
    log.trace({ kind: 'reused', purpose: 'late', bytes: 0 })
    expect(log.dropped()).toBe(3)
  })
})

describe('the purpose of a request', () => {
  it.for([
    ['GET', '/v2/', 'whether a registry is there, and how to log in'],
    ['GET', `/v2/a/b/referrers/sha256:${hex}`, 'what refers to the image (referrers API)'],
    ['GET', `/v2/a/manifests/sha256-${hex}`, 'the fallback index of what refers to the image'],
    ['GET', `/v2/a/manifests/sha256-${hex}.sig`, "signatures under cosign's tag .sig"],
    ['HEAD', '/v2/a/manifests/1.0', 'whether it is there: the manifest of tag 1.0'],
    ['GET', `/v2/a/manifests/sha256:${hex}`, 'a manifest'],
    ['GET', '/v2/a/tags/list', 'whether writers left tags of their own'],
    ['GET', '/token', 'a token or redirected content'],
  ] as const)('%s %s is %s', ([method, path, purpose]) => {
    expect(purposeOf(method, new URL(path, 'https://registry.example'))).toBe(purpose)
  })
})

async function oneEvent(url: string): Promise<TraceEvent | undefined> {
  const log = createTraceLog()
  const response = { status: 200, headers: {}, body: (async function* () {})(), remote: undefined, discard: () => undefined }
  const client: HttpClient = { send: () => Promise.resolve(response), deadline: {} as never, close: () => undefined }
  const { discard } = await tracedClient(client, log.trace).send({
    method: 'GET',
    url: new URL(url),
    headers: { authorization: 'Bearer s3cr3t' },
  })
  discard()
  return log.events[0]
}
