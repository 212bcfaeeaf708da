import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseSigningConfig } from '@countersign/core/trust/signing-config'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { gitsignEnvironment, shellQuoted } from '@countersign/core/trust/kit'
import { writeKit } from '@countersign/sdk/kit/write-kit'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { trustExpiries } from '../../src/trust/expiring.ts'
import { kitService } from '../../src/trust/kit/service.ts'
import { tufService } from '../../src/trust/service.ts'
import { openTrust, type Trust } from '../../src/trust/trust.ts'
import { makeGround, makeInstance, type Ground } from './made.ts'

let ground: Ground
let trust: Trust
let app: FastifyInstance
let url = ''
let folder = ''
beforeAll(async () => {
  ground = await makeGround()
  // The client of the kit reads this machine's clock.
  ground.nowMs = Date.now()
  trust = openTrust(ground)
  const roles = ['ca', 'ct', 'rekor1', 'rekor2', 'tsa', 'oidc'] as const
  await trust.begin(await Promise.all(roles.map((role) => makeInstance(role, 1, ground.nowMs))))
  const expiries = async () => trustExpiries(ground, await trust.instances())
  app = Fastify()
  folder = mkdtempSync(join(tmpdir(), 'kit-'))
  for (const service of [
    tufService({ ...ground, expiries, renewalFailures: () => 0 }),
    kitService({ ...ground, trust, expiries, publicUrl: 'http://127.0.0.1:8080' }),
  ]) {
    await app.register(async (scope) => service.routes(scope), { prefix: service.prefix })
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await app.close()
  await ground.close()
  rmSync(folder, { recursive: true })
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const options = { environment: {}, retries: 0 }

describe('a kit that a client writes', () => {
  it('holds root, trusted root, signing config, keys, certificates and an environment', async () => {
    const target = join(folder, "it's a kit")
    const written = await writeKit({ url, folder: target, nowMs: Date.now() }, options)
    expect(readdirSync(target).toSorted()).toEqual([...written.files].toSorted())
    expect(written.files).toEqual([
      'root.json',
      'trusted_root.json',
      'signing_config.json',
      'rekor.pub',
      'rekor2.pub',
      'ctfe.pub',
      'fulcio.pem',
      'tsa.pem',
      'env.sh',
    ])
    const read = (name: string): Buffer => readFileSync(join(target, name))
    expect(written.rootFingerprint).toBe(`sha256:${sha256(read('root.json'))}`)
    expect(parseTrustedRoot(read('trusted_root.json')).logs).toHaveLength(2)
    expect(parseSigningConfig(read('signing_config.json')).caUrls).toHaveLength(1)
    expect(new X509Certificate(read('fulcio.pem')).subject).toContain('Test ca')
    expect(new X509Certificate(read('tsa.pem')).subject).toContain('Test tsa')
  })

  it('has an environment that a shell reads under set -u, from anywhere, with absolute paths and exported', async () => {
    const target = join(folder, "quote ' and $HOME")
    await writeKit({ url, folder: target, nowMs: Date.now() }, options)
    const script = `set -eu; . "$1"; sh -c 'printf "%s\\n" "$SIGSTORE_ROOT_FILE" "$GITSIGN_REKOR_URL" "$GITSIGN_OIDC_CLIENT_ID"'`
    const said = execFileSync('sh', ['-c', script, 'sh', join(target, 'env.sh')], { cwd: '/' }).toString()
    expect(said.split('\n')).toEqual([join(target, 'fulcio.pem'), 'http://127.0.0.1:8080/rekor', 'sigstore', ''])
  })

  it('is of the root whose checksum was given, or is not written', async () => {
    const root = Buffer.from(await (await fetch(`${url}/kit/root.json`)).arrayBuffer())
    const good = await writeKit({ url, folder: join(folder, 'good'), rootChecksum: sha256(root), nowMs: Date.now() }, options)
    expect(good.rootVersion).toBe(1)
    const bad = writeKit({ url, folder: join(folder, 'bad'), rootChecksum: '0'.repeat(64), nowMs: Date.now() }, options)
    await expect(bad).rejects.toMatchObject({ code: 'content_altered' })
    expect(readdirSync(folder)).not.toContain('bad')
  })

  it('off loopback needs https and the checksum, before anything is asked', async () => {
    const kit = (from: string) => writeKit({ url: from, folder: join(folder, 'far'), nowMs: Date.now() }, options)
    await expect(kit('http://sign.example.org')).rejects.toMatchObject({ code: 'insecure_transport' })
    await expect(kit('https://sign.example.org')).rejects.toMatchObject({ code: 'usage' })
  })

  it('believes nothing but the repository: a page that lies about keys is not asked', async () => {
    const liar = Fastify()
    liar.get('/kit/root.json', async (_, reply) => reply.send(Buffer.from(await (await fetch(`${url}/kit/root.json`)).arrayBuffer())))
    liar.get('/kit/*', async () => 'evil')
    liar.get('/tuf/*', async (request, reply) => {
      const answer = await fetch(`${url}${request.url}`)
      return reply.code(answer.status).send(Buffer.from(await answer.arrayBuffer()))
    })
    await liar.listen({ host: '127.0.0.1', port: 0 })
    const from = `http://127.0.0.1:${(liar.server.address() as AddressInfo).port}`
    await writeKit({ url: from, folder: join(folder, 'liar'), nowMs: Date.now() }, options)
    await liar.close()
    expect(readFileSync(join(folder, 'liar', 'rekor.pub'), 'utf8')).toContain('BEGIN PUBLIC KEY')
  })

  it('is never of a folder that a shell could misread', () => {
    const config = parseSigningConfig('{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}')
    expect(() => gitsignEnvironment(config, 'relative')).toThrow(expect.objectContaining({ code: 'usage' }))
    expect(() => gitsignEnvironment(config, '/a\nb')).toThrow(expect.objectContaining({ code: 'usage' }))
    expect(shellQuoted("a'b")).toBe(`'a'\\''b'`)
  })
})

describe('the page of the kit', () => {
  it('shows the checksum of the root, the commands, the services, and runs nothing', async () => {
    const answer = await fetch(`${url}/kit`)
    const html = await answer.text()
    const root = Buffer.from(await (await fetch(`${url}/kit/root.json`)).arrayBuffer())
    expect(html.replaceAll(/<[^>]+>/g, '')).toContain(sha256(root))
    expect(html).toContain(
      `cosign initialize --mirror http://127.0.0.1:8080/tuf --root http://127.0.0.1:8080/kit/root.json --root-checksum ${sha256(root)}`,
    )
    for (const path of ['/fulcio', '/rekor2', '/rekor', '/tsa/api/v1/timestamp', '/oidc', '/tuf'])
      expect(html).toContain(`<code>http://127.0.0.1:8080${path}</code>`)
    expect(html).not.toContain('<script')
    expect(html).not.toContain('class="warning"')
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    if (process.env['KIT_PAGE'] !== undefined) writeFileSync(process.env['KIT_PAGE'], html)
  })

  it('has a link for every file, and each link leads somewhere', async () => {
    const html = await (await fetch(`${url}/kit/`)).text()
    const links = [...html.matchAll(/href="([^"]+)"/g)].map((match) => match[1] as string)
    expect(links.length).toBeGreaterThan(8)
    for (const link of links) expect((await fetch(`${url}${link}`)).status).toBe(200)
    expect((await fetch(`${url}/kit/%2e%2e%2fetc`)).status).toBe(404)
  })

  it('serves an environment that works in the folder of the downloaded files, under set -u', async () => {
    writeFileSync(join(folder, 'env.sh'), await (await fetch(`${url}/kit/env.sh`)).text())
    const said = execFileSync('sh', ['-euc', '. ./env.sh; env'], { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } }).toString()
    expect(said).toContain(`SIGSTORE_ROOT_FILE=${execFileSync('pwd', ['-P'], { cwd: folder }).toString().trim()}/fulcio.pem`)
    expect(said).toContain('GITSIGN_FULCIO_URL=http://127.0.0.1:8080/fulcio')
    expect(said).not.toContain('countersign_kit')
  })

  it('warns weeks before a root whose keys are elsewhere ends', async () => {
    await ground.keys.remove('tuf-root')
    const before = ground.nowMs
    ground.nowMs = before + 310 * 24 * 60 * 60 * 1000
    const html = await (await fetch(`${url}/kit`)).text()
    ground.nowMs = before
    expect(html).toContain('class="warning"')
    expect(html).toContain('the root of the TUF repository ends on')
  })
})
