/** Stock clients against an installation of ours: each command as a user types it after the one line of `initialize`. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missingPeers, peer } from './peers.ts'
import { expectExit, run, shown } from './command.ts'
import { type Installation, startInstallation } from './installation.ts'

const ada = '--certificate-identity=ada@example.org'

describe.skipIf(missingPeers('cosign', 'gitsign', 'rekor-cli').length > 0)('an installation of one command', () => {
  let place: Installation
  let by: readonly string[]

  beforeAll(async () => {
    place = await startInstallation()
    by = [ada, `--certificate-oidc-issuer=${place.issuer}`]
    writeFileSync(join(place.folder, 'file.txt'), 'hello\n')
    writeFileSync(join(place.folder, 'predicate.json'), '{"answer":42}')
    const root = await fetch(`${place.url}/kit/root.json`)
    writeFileSync(join(place.folder, 'root.json'), await root.text())
    const args = ['initialize', '--mirror', `${place.url}/tuf`, '--root', 'root.json']
    expectExit(await place.peer('cosign', args), 0, 'cosign initialize')
    expectExit(await place.ours(args, { env: { TUF_ROOT: join(place.folder, 'tuf-ours') } }), 0, 'initialize')
  })

  afterAll(() => place?.stop())

  const sign = async (tool: 'cosign' | 'ours', args: readonly string[]): Promise<void> => {
    const all = [...args, '--identity-token', await place.token('ada'), ...(tool === 'cosign' ? ['--yes'] : [])]
    expectExit(tool === 'cosign' ? await place.peer('cosign', all) : await place.ours(all), 0, `${tool} ${args[0]}`)
  }
  const bothAccept = async (args: readonly string[]): Promise<void> => {
    expect(shown(await place.peer('cosign', [...args, ...by]))).toBe('exit 0')
    expect(shown(await place.ours([...args, ...by]))).toBe('exit 0')
  }

  for (const tool of ['cosign', 'ours'] as const) {
    for (const log of ['Rekor v2', 'Rekor v1'] as const) {
      // cosign takes a version 1 log that is named in a signing config of its own.
      const services = async (): Promise<readonly string[]> => {
        if (log === 'Rekor v2') return []
        const config = JSON.parse(await (await fetch(`${place.url}/kit/signing_config.json`)).text()) as {
          rekorTlogUrls: { majorApiVersion: number }[]
        }
        const only = config.rekorTlogUrls.filter(({ majorApiVersion }) => majorApiVersion === 1)
        writeFileSync(join(place.folder, 'v1.json'), JSON.stringify({ ...config, rekorTlogUrls: only }))
        return ['--signing-config', 'v1.json']
      }

      it(`${tool} signs a file keyless, with ${log}; both verify it`, async () => {
        const bundle = `file-${tool}-${log.slice(-2)}.json`
        await sign(tool, ['sign-blob', '--bundle', bundle, ...(await services()), 'file.txt'])
        await bothAccept(['verify-blob', '--bundle', bundle, 'file.txt'])
        const { verificationMaterial } = JSON.parse(readFileSync(join(place.folder, bundle), 'utf8')) as {
          verificationMaterial: { tlogEntries: { kindVersion: object }[] }
        }
        expect(verificationMaterial.tlogEntries[0]?.kindVersion).toEqual({
          kind: 'hashedrekord',
          version: log === 'Rekor v2' ? '0.0.2' : '0.0.1',
        })
      })

      it(`${tool} attests a file keyless, with ${log}; both verify it`, async () => {
        const bundle = `attested-${tool}-${log.slice(-2)}.json`
        await sign(tool, [
          'attest-blob',
          '--bundle',
          bundle,
          '--predicate',
          'predicate.json',
          '--type',
          'custom',
          ...(await services()),
          'file.txt',
        ])
        await bothAccept(['verify-blob-attestation', '--bundle', bundle, '--type', 'custom', 'file.txt'])
      })
    }
  }

  it('is refused for another person, and for another issuer', async () => {
    await sign('ours', ['sign-blob', '--bundle', 'refused.json', 'file.txt'])
    const verify = ['verify-blob', '--bundle', 'refused.json', 'file.txt']
    const other = ['--certificate-identity=bob@example.org', `--certificate-oidc-issuer=${place.issuer}`]
    expect((await place.peer('cosign', [...verify, ...other])).code).not.toBe(0)
    expect((await place.ours([...verify, ...other])).code).toBe(12)
    expect((await place.ours([...verify, ada, '--certificate-oidc-issuer=https://other.example'])).code).toBe(12)
  })

  it('rekor-cli uploads, gets, verifies, searches, and proves that the log only grew', async () => {
    const rekor = async (...args: readonly string[]): Promise<string> =>
      expectExit(await place.peer('rekor-cli', ['--rekor_server', `${place.url}/rekor`, ...args]), 0, `rekor-cli ${args[0]}`).stdout
    const openssl = async (...args: readonly string[]): Promise<void> =>
      void expectExit(await run('openssl', args, { cwd: place.folder }), 0, `openssl ${args[0]}`)
    await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key.pem')
    await openssl('ec', '-in', 'key.pem', '-pubout', '-out', 'key.pub')
    await openssl('dgst', '-sha256', '-sign', 'key.pem', '-out', 'file.sig', 'file.txt')
    await rekor('loginfo')
    const signed = ['--artifact', 'file.txt', '--signature', 'file.sig', '--public-key', 'key.pub', '--pki-format', 'x509']
    const uploaded = await rekor('upload', ...signed)
    const address = /available at: (\S+)/.exec(uploaded)?.[1] ?? ''
    expect((await fetch(address)).status).toBe(200)
    expect(await rekor('upload', ...signed)).toContain('already exists')
    const digest = createHash('sha256').update('hello\n').digest('hex')
    await rekor('upload', '--type', 'hashedrekord', '--artifact-hash', digest, ...signed.slice(2))
    expect(await rekor('verify', ...signed)).toContain('Inclusion Proof')
    const uuid = address.split('/').at(-1) ?? ''
    expect(await rekor('get', '--uuid', uuid)).toContain(uuid)
    expect(await rekor('get', '--log-index', '0')).toContain('LogID')
    expect(await rekor('search', '--sha', digest)).toContain(uuid)
    expect(await rekor('search', '--public-key', 'key.pub', '--pki-format', 'x509')).toContain(uuid)
    expect(await rekor('loginfo')).toContain('Verification Successful')
    expect(await rekor('logproof', '--last-size', '2')).toContain('Current Root Hash')
  })

  it('gitsign signs commits, and they verify: online and offline', async () => {
    expectExit(await place.ours(['kit', '--url', place.url, 'kit']), 0, 'kit')
    const repository = join(place.folder, 'repository')
    mkdirSync(repository)
    const script = `set -eu
. ../kit/env.sh
gitsign initialize --mirror ${place.url}/tuf --root ../kit/root.json
git init -q . ; git config user.name ada; git config user.email ada@example.org
git config gpg.x509.program gitsign; git config gpg.format x509; git config commit.gpgsign true
git commit -q --allow-empty -m online
git verify-commit HEAD
gitsign verify --certificate-identity ada@example.org --certificate-oidc-issuer ${place.issuer} HEAD
GITSIGN_REKOR_MODE=offline git commit -q --allow-empty -m offline
GITSIGN_REKOR_MODE=offline gitsign verify --certificate-identity ada@example.org --certificate-oidc-issuer ${place.issuer} HEAD
! gitsign verify --certificate-identity bob@example.org --certificate-oidc-issuer ${place.issuer} HEAD`
    const env = {
      ...place.env,
      TUF_ROOT: join(place.folder, 'tuf-gitsign'),
      SIGSTORE_ID_TOKEN: await place.token('ada'),
      GITSIGN_TOKEN_PROVIDER: 'envvar',
    }
    const folder = join(peer('gitsign'), '..')
    const outcome = await run('sh', ['-c', script], {
      cwd: repository,
      env: { ...env, PATH: `${folder}:${process.env['PATH'] ?? ''}`, COUNTERSIGN_KIT: join(place.folder, 'kit') },
    })
    expect(shown(outcome)).toBe('exit 0')
  })

  it('openssl verifies its timestamps', async () => {
    const openssl = (...args: readonly string[]): Promise<Awaited<ReturnType<typeof run>>> => run('openssl', args, { cwd: place.folder })
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
