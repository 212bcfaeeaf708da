/** rekor-cli, gitsign and openssl against an installation of ours: each command as a user types it, and what it asks. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missingPeers, peer } from './peers.ts'
import { expectExit, type Outcome, run, shown } from './command.ts'
import { type Installation, startInstallation } from './installation.ts'

const search = 'POST /rekor/api/v1/index/retrieve 200'
const read = 'GET /rekor/api/v1/log/entries/<h> 200'

describe.skipIf(missingPeers('gitsign', 'rekor-cli').length > 0)('an installation of one command, and the tools beside cosign', () => {
  let place: Installation

  beforeAll(async () => {
    place = await startInstallation()
    writeFileSync(join(place.folder, 'file.txt'), 'hello\n')
  })

  afterAll(() => place?.stop())

  /** What was asked since the last time, without queries. */
  const asked = (): readonly string[] => place.requests().map((line) => line.replace(/\?\S*/, ''))
  const openssl = (...args: readonly string[]): Promise<Outcome> => run('openssl', args, { cwd: place.folder })

  it('rekor-cli uploads, gets, verifies, searches, and proves that the log only grew', async () => {
    const rekor = async (...args: readonly string[]): Promise<{ readonly says: string; readonly asks: readonly string[] }> => {
      place.requests()
      const all = ['--rekor_server', `${place.url}/rekor`, ...args]
      const { stdout } = expectExit(await place.peer('rekor-cli', all), 0, `rekor-cli ${args[0]}`)
      return { says: stdout, asks: asked() }
    }
    await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key.pem')
    await openssl('ec', '-in', 'key.pem', '-pubout', '-out', 'key.pub')
    await openssl('dgst', '-sha256', '-sign', 'key.pem', '-out', 'file.sig', 'file.txt')
    const head = ['GET /rekor/api/v1/log 200', 'GET /rekor/api/v1/log/publicKey 200']
    expect((await rekor('loginfo')).asks).toEqual(head)
    const signed = ['--artifact', 'file.txt', '--signature', 'file.sig', '--public-key', 'key.pub', '--pki-format', 'x509']
    const uploaded = await rekor('upload', ...signed)
    expect(uploaded.asks).toEqual(['POST /rekor/api/v1/log/entries 201', 'GET /rekor/api/v1/log/publicKey 200'])
    const address = /available at: (\S+)/.exec(uploaded.says)?.[1] ?? ''
    expect((await fetch(address)).status).toBe(200)
    // It keeps the head that it saw, and has the next one proved to it.
    await rekor('loginfo')
    const again = await rekor('upload', ...signed)
    expect(again.says).toContain('already exists')
    expect(again.asks[0]).toBe('POST /rekor/api/v1/log/entries 409')
    const digest = createHash('sha256').update('hello\n').digest('hex')
    await rekor('upload', '--type', 'hashedrekord', '--artifact-hash', digest, ...signed.slice(2))
    const verified = await rekor('verify', ...signed)
    expect(verified.says).toContain('Inclusion Proof')
    expect(verified.asks[0]).toBe('POST /rekor/api/v1/log/entries/retrieve 200')
    const uuid = address.split('/').at(-1) ?? ''
    const got = await rekor('get', '--uuid', uuid)
    expect(got.says).toContain(uuid)
    expect(got.asks[0]).toBe(read)
    const byIndex = await rekor('get', '--log-index', '0')
    expect(byIndex.says).toContain('LogID')
    expect(byIndex.asks[0]).toBe('GET /rekor/api/v1/log/entries 200')
    for (const what of [
      ['--sha', digest],
      ['--public-key', 'key.pub', '--pki-format', 'x509'],
    ]) {
      const found = await rekor('search', ...what)
      expect(found.says).toContain(uuid)
      expect(found.asks).toEqual([search])
    }
    const grown = await rekor('loginfo')
    expect(grown.says).toContain('Verification Successful')
    expect(grown.asks).toContain('GET /rekor/api/v1/log/proof 200')
    expect((await rekor('logproof', '--last-size', '2')).says).toContain('Current Root Hash')
  })

  it('gitsign signs commits, and they verify: online and offline', async () => {
    expectExit(await place.ours(['kit', '--url', place.url, 'kit']), 0, 'kit')
    const repository = join(place.folder, 'repository')
    mkdirSync(repository)
    const env = {
      ...place.env,
      TUF_ROOT: join(place.folder, 'tuf-gitsign'),
      SIGSTORE_ID_TOKEN: await place.token('ada'),
      GITSIGN_TOKEN_PROVIDER: 'envvar',
      PATH: `${join(peer('gitsign'), '..')}:${process.env['PATH'] ?? ''}`,
    }
    /** Runs lines as a user types them, after the environment of the kit; gives what was asked, without the refresh of TUF. */
    const git = async (lines: string): Promise<readonly string[]> => {
      place.requests()
      expect(shown(await run('sh', ['-c', `set -eu\n. ../kit/env.sh\n${lines}`], { cwd: repository, env }))).toBe('exit 0')
      return asked().filter((line) => !line.startsWith('GET /tuf/'))
    }
    const who = `--certificate-identity ada@example.org --certificate-oidc-issuer ${place.issuer}`
    await git(`gitsign initialize --mirror ${place.url}/tuf --root ../kit/root.json
git init -q . ; git config user.name ada; git config user.email ada@example.org
git config gpg.x509.program gitsign; git config gpg.format x509; git config commit.gpgsign true`)
    const signed = ['POST /fulcio/api/v1/signingCert 201', 'POST /rekor/api/v1/log/entries 201']
    expect(await git('git commit -q --allow-empty -m online')).toEqual(expect.arrayContaining(signed))
    expect(await git('git verify-commit HEAD')).toEqual([search, read])
    expect(await git(`gitsign verify ${who} HEAD`)).toEqual([search, read])
    await git('export GITSIGN_REKOR_MODE=offline; git commit -q --allow-empty -m offline')
    expect(await git(`export GITSIGN_REKOR_MODE=offline; gitsign verify ${who} HEAD`)).toEqual([])
    await git(`! gitsign verify ${who.replace('ada@', 'bob@')} HEAD`)
  })

  it('openssl verifies its timestamps', async () => {
    for (const hash of ['sha256', 'sha384', 'sha512']) {
      expectExit(await openssl('ts', '-query', '-data', 'file.txt', `-${hash}`, '-cert', '-out', 'query.tsq'), 0, 'openssl ts -query')
      const query = readFileSync(join(place.folder, 'query.tsq'))
      const headers = { 'content-type': 'application/timestamp-query' }
      const reply = await fetch(`${place.url}/tsa/api/v1/timestamp`, { method: 'POST', headers, body: query })
      writeFileSync(join(place.folder, 'reply.tsr'), new Uint8Array(await reply.arrayBuffer()))
      writeFileSync(join(place.folder, 'chain.pem'), await (await fetch(`${place.url}/tsa/api/v1/timestamp/certchain`)).text())
      const verified = await openssl('ts', '-verify', '-queryfile', 'query.tsq', '-in', 'reply.tsr', '-CAfile', 'chain.pem')
      expect(verified.stdout + verified.stderr).toContain('Verification: OK')
    }
  })
})
