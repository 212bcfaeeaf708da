import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerHttp2Stream } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AmbientProvider, ambientToken } from '../../src/oidc/ambient.ts'
import { fieldsOf, textField } from '../../src/oidc/protobuf.ts'
import { type Answer, everythingIn, failureOf, fakeService, testClient } from '../services/fake-service.ts'

const audience = 'sigstore'

async function find(environment: Readonly<Record<string, string>>, only?: AmbientProvider) {
  return ambientToken(
    {
      client: await testClient(),
      environment: { SPIFFE_ENDPOINT_SOCKET: '/nowhere', SIGSTORE_ID_TOKEN_FILE: '/nowhere', ...environment },
      audience,
    },
    only,
  )
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'countersign-oidc-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

describe('where a program runs', () => {
  it('gives no token where nothing says so, and nobody is asked', async () => {
    expect(await find({})).toBeUndefined()
    expect(await find({ ACTIONS_ID_TOKEN_REQUEST_URL: 'http://127.0.0.1:1' })).toBeUndefined()
    expect(await find({ ACTIONS_ID_TOKEN_REQUEST_URL: '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x' })).toBeUndefined()
    expect(await find({ BUILDKITE_AGENT_ACCESS_TOKEN: 'x', BUILDKITE_JOB_ID: '../../admin' })).toBeUndefined()
  })

  it('GitHub Actions gives one for the audience, to the bearer that the job has', async () => {
    const fake = await fakeService(() => ({ body: { value: 'github token', count: 1 } }))
    const environment = { ACTIONS_ID_TOKEN_REQUEST_URL: `${fake.url}/token?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer' }
    expect(await find(environment)).toEqual({ provider: 'github-actions', token: 'github token' })
    expect(fake.asked[0]).toMatchObject({ method: 'GET', path: '/token?api-version=2.0&audience=sigstore' })
    expect(fake.asked[0]?.headers.authorization).toBe('Bearer bearer')
  })

  it('Buildkite gives one for its job', async () => {
    const fake = await fakeService(() => ({ body: { token: 'buildkite token' } }))
    const environment = { BUILDKITE_AGENT_ACCESS_TOKEN: 'agent', BUILDKITE_JOB_ID: 'job-7', BUILDKITE_AGENT_ENDPOINT: `${fake.url}/v3/` }
    expect(await find(environment)).toEqual({ provider: 'buildkite-agent', token: 'buildkite token' })
    expect(fake.asked[0]).toMatchObject({ method: 'POST', path: '/v3/jobs/job-7/oidc/tokens', body: '{"audience":"sigstore"}' })
    expect(fake.asked[0]?.headers.authorization).toBe('Token agent')
  })

  it('a file gives the one in it', async () => {
    const path = join(folder(), 'token')
    writeFileSync(path, 'file token\n')
    expect(await find({ SIGSTORE_ID_TOKEN_FILE: path })).toEqual({ provider: 'filesystem', token: 'file token' })
    writeFileSync(path, 'x'.repeat(70_000))
    expect((await failureOf(find({ SIGSTORE_ID_TOKEN_FILE: path }))).code).toBe('limit_exceeded')
  })

  it('the first that is there is asked, or the named one alone', async () => {
    const [github, buildkite] = [
      await fakeService(() => ({ body: { value: 'github' } })),
      await fakeService(() => ({ body: { token: 'buildkite' } })),
    ]
    const environment = {
      ACTIONS_ID_TOKEN_REQUEST_URL: github.url,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer',
      BUILDKITE_AGENT_ACCESS_TOKEN: 'agent',
      BUILDKITE_JOB_ID: 'job',
      BUILDKITE_AGENT_ENDPOINT: buildkite.url,
    }
    expect((await find(environment))?.token).toBe('github')
    expect((await find(environment, 'buildkite-agent'))?.token).toBe('buildkite')
    expect(await find(environment, 'filesystem')).toBeUndefined()
    expect([github.asked.length, buildkite.asked.length]).toEqual([1, 1])
  })

  it.each<[string, Answer, string]>([
    ['refuses', { status: 403, body: { message: 'no permission id-token: write' } }, 'service_refused'],
    ['fails', { status: 500 }, 'service_failed'],
    ['says nothing', { body: {} }, 'service_response_malformed'],
    ['says no text', { body: { value: 7 } }, 'service_response_malformed'],
    ['gives no JSON', { body: 'token' }, 'service_response_malformed'],
    ['breaks off', 'lost', 'service_unreachable'],
  ])('one that is there and %s is a failure, not passed over; its bearer is not shown', async (_name, answer, code) => {
    const fake = await fakeService(() => answer)
    const environment = { ACTIONS_ID_TOKEN_REQUEST_URL: fake.url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer-of-the-job' }
    const failure = await failureOf(find(environment))
    expect(failure.code).toBe(code)
    expect(everythingIn(failure)).not.toContain('bearer-of-the-job')
  })

  it('attack: a bearer is not sent in plain http to another machine', async () => {
    const environment = { ACTIONS_ID_TOKEN_REQUEST_URL: 'http://10.0.0.1/token', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer' }
    expect((await failureOf(find(environment))).code).toBe('insecure_transport')
  })
})

describe('a SPIFFE agent', () => {
  /** An agent on a socket; gives the path of it. */
  async function agent(
    answer: (stream: ServerHttp2Stream, asked: Buffer) => void,
  ): Promise<{ readonly path: string; readonly heads: Record<string, unknown>[] }> {
    const path = join(folder(), 'agent.sock')
    const heads: Record<string, unknown>[] = []
    const server = createServer()
    server.on('stream', (stream, head) => {
      heads.push({ ...head })
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('error', () => stream.destroy())
      stream.on('end', () => answer(stream, Buffer.concat(parts)))
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    onTestFinished(() => void server.close())
    return { path, heads }
  }

  function send(stream: ServerHttp2Stream, message: Uint8Array, status = '0'): void {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
    const frame = Buffer.alloc(5)
    frame.writeUInt32BE(message.length, 1)
    stream.end(Buffer.concat([frame, message]))
  }

  /** JWTSVIDResponse with one SVID: identity, token. */
  const answerWith = (token: string): Uint8Array => {
    const svid = Buffer.concat([textField(1, 'spiffe://example.org/ada'), textField(2, token)])
    return Buffer.concat([Uint8Array.of(0x0a, (svid.length & 127) | 128, svid.length >> 7), svid])
  }

  it('gives a token for the audience, over its socket', async () => {
    const token = `spiffe token ${'x'.repeat(200)}`
    for (const prefix of ['', 'unix:', 'unix://']) {
      const { path, heads } = await agent((stream, asked) => {
        expect(fieldsOf(new Uint8Array(asked.subarray(5)), 1)?.map((bytes) => Buffer.from(bytes).toString())).toEqual([audience])
        send(stream, answerWith(token))
      })
      expect(await find({ SPIFFE_ENDPOINT_SOCKET: `${prefix}${path}` })).toEqual({ provider: 'spiffe', token })
      expect(heads[0]).toMatchObject({
        ':path': '/SpiffeWorkloadAPI/FetchJWTSVID',
        'workload.spiffe.io': 'true',
        'content-type': 'application/grpc',
      })
    }
  })

  it.each<[string, (stream: ServerHttp2Stream) => void, string]>([
    ['refuses', (stream) => send(stream, new Uint8Array(), '7'), 'service_failed'],
    [
      'refuses at once',
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '7' }, { endStream: true })
      },
      'service_failed',
    ],
    ['gives nothing', (stream) => send(stream, new Uint8Array()), 'service_response_malformed'],
    ['gives no message', (stream) => send(stream, utf8('\u007f\u007f\u007f')), 'service_response_malformed'],
    ['gives a message without a token', (stream) => send(stream, textField(1, '')), 'service_response_malformed'],
    ['gives more than a token can be', (stream) => send(stream, Buffer.alloc(100_000)), 'service_failed'],
    ['breaks off', (stream) => stream.session?.destroy(), 'service_failed'],
    ['is no agent', (stream) => stream.respond({ ':status': 404 }, { endStream: true }), 'service_failed'],
  ])('that %s is a failure', async (_name, answer, code) => {
    const { path } = await agent(answer)
    expect((await failureOf(find({ SPIFFE_ENDPOINT_SOCKET: path }))).code).toBe(code)
  })

  it('that says nothing is waited for until the deadline', async () => {
    const { path } = await agent(() => undefined)
    const client = await testClient(300)
    const place = { client, environment: { SPIFFE_ENDPOINT_SOCKET: path }, audience }
    expect((await failureOf(ambientToken(place, 'spiffe'))).code).toBe('deadline_exceeded')
  })
})

describe('a message of Protocol Buffers', () => {
  it('is read field by field, whatever else is in it', () => {
    const message = Buffer.concat([textField(1, 'one'), Uint8Array.of(0x10, 0x96, 0x01), textField(3, 'three'), textField(1, 'again')])
    expect(fieldsOf(message, 1)?.map((bytes) => Buffer.from(bytes).toString())).toEqual(['one', 'again'])
    expect(fieldsOf(message, 9)).toEqual([])
  })

  it('attack: is none when a length leads out of it, a number has no end, or a type is unknown', () => {
    for (const bytes of [
      [0x0a, 0x05, 0x61],
      [0x0a],
      [0x80],
      [0x0a, ...Array.from({ length: 9 }, () => 0xff)],
      [0x0d, 1, 2, 3, 4],
      [0x0b],
    ]) {
      expect(fieldsOf(Uint8Array.from(bytes), 1)).toBeUndefined()
    }
  })
})
