import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findCredential } from '../../src/credentials/find.ts'
import { eraseCredentials, storeCredentials } from '../../src/credentials/store.ts'

let home: string
let environment: Record<string, string>

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'credentials-'))
  environment = { HOME: home, PATH: `${join(home, 'bin')}:${process.env['PATH']}` }
})
afterEach(() => rm(home, { recursive: true }))

async function write(path: string, content: unknown): Promise<string> {
  const file = join(home, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

/** A credential helper that is a shell script; `$1` is the verb, stdin the request. */
async function helper(name: string, script: string): Promise<void> {
  const file = await write(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
}

const find = (registry: string, repository = 'team/app') => findCredential({ registry, repository, environment, helperTimeoutMs: 2_000 })
const auth = (username: string, password: string): { readonly auth: string } => ({
  auth: Buffer.from(`${username}:${password}`).toString('base64'),
})
const basic = (username: string, password: string) => ({ kind: 'basic', username, password })

describe("Docker's config file", () => {
  it('is found in the home folder, or where DOCKER_CONFIG says', async () => {
    await write('.docker/config.json', { auths: { 'r.test': auth('ann', 'a:b') } })
    expect((await find('r.test'))?.secret).toEqual(basic('ann', 'a:b'))
    await write('elsewhere/config.json', { auths: { 'r.test': auth('bob', 'x') } })
    environment['DOCKER_CONFIG'] = join(home, 'elsewhere')
    expect(await find('r.test')).toEqual({ secret: basic('bob', 'x'), source: join(home, 'elsewhere', 'config.json') })
  })

  it('holds passwords, identity tokens and registry tokens', async () => {
    const auths = {
      'a.test': { username: 'ann', password: 'p' },
      'b.test': { ...auth('x', 'y'), identitytoken: 'refresh' },
      'c.test': { registrytoken: 'bearer' },
      'd.test': {},
    }
    await write('.docker/config.json', { auths })
    expect((await find('a.test'))?.secret).toEqual(basic('ann', 'p'))
    expect((await find('b.test'))?.secret).toEqual({ kind: 'identity', token: 'refresh' })
    expect((await find('c.test'))?.secret).toEqual({ kind: 'registry_token', token: 'bearer' })
    expect(await find('d.test')).toBeUndefined()
  })

  it('names registries also by URL, and Docker Hub by its old address', async () => {
    const auths = { 'https://r.test/v2/': auth('ann', '1'), 'https://index.docker.io/v1/': auth('hub', '2') }
    await write('.docker/config.json', { auths })
    expect((await find('r.test'))?.secret).toEqual(basic('ann', '1'))
    for (const name of ['docker.io', 'index.docker.io', 'registry-1.docker.io'])
      expect((await find(name))?.secret).toEqual(basic('hub', '2'))
    expect(await find('r.test:5000')).toBeUndefined()
    expect(await find('evil-r.test')).toBeUndefined()
  })

  it.each([
    ['not JSON', '{"auths": secret-token'],
    ['a name twice', '{"auths":{"r.test":{"auth":"c2VjcmV0LXRva2Vu"},"r.test":{}}}'],
    ['auth that is not base64', '{"auths":{"r.test":{"auth":"secret-token!"}}}'],
    ['auth without a colon', '{"auths":{"r.test":{"auth":"c2VjcmV0LXRva2Vu"}}}'],
    ['auths that is a list', '{"auths":["secret-token"]}'],
    ['a helper that is no text', '{"credHelpers":{"r.test":{"secret-token":1}}}'],
  ])('with %s is named in the failure, its content is not', async (_name, content) => {
    const file = await write('.docker/config.json', content)
    const failure = (await find('r.test').catch((error: unknown) => error)) as Error & { cause?: unknown }
    expect(failure).toMatchObject({ code: 'credentials_malformed' })
    expect(failure.message).toContain(file)
    expect(`${failure.message} ${String(failure.cause)}`).not.toMatch(/secret-token|c2VjcmV0/)
  })
})

describe("Podman's files", () => {
  it("are read after Docker's, unless REGISTRY_AUTH_FILE names one", async () => {
    environment['XDG_RUNTIME_DIR'] = join(home, 'run')
    await write('.config/containers/auth.json', { auths: { 'r.test': auth('config', '1') } })
    expect((await find('r.test'))?.secret).toEqual(basic('config', '1'))
    await write('run/containers/auth.json', { auths: { 'r.test': auth('runtime', '2') } })
    expect((await find('r.test'))?.secret).toEqual(basic('runtime', '2'))
    await write('.docker/config.json', { auths: { 'r.test': auth('docker', '3') } })
    expect((await find('r.test'))?.secret).toEqual(basic('docker', '3'))
    environment['REGISTRY_AUTH_FILE'] = await write('named.json', { auths: { 'r.test': auth('named', '4') } })
    expect((await find('r.test'))?.secret).toEqual(basic('named', '4'))
  })

  it('hold credentials per namespace: the most specific wins', async () => {
    const auths = { 'r.test': auth('all', '1'), 'r.test/team': auth('team', '2'), 'r.test/team/app/sub': auth('sub', '3') }
    environment['REGISTRY_AUTH_FILE'] = await write('auth.json', { auths })
    expect((await find('r.test', 'team/app'))?.secret).toEqual(basic('team', '2'))
    expect((await find('r.test', 'team/app/sub'))?.secret).toEqual(basic('sub', '3'))
    expect((await find('r.test', 'teammate/app'))?.secret).toEqual(basic('all', '1'))
  })
})

describe('what the caller gives wins over every file', () => {
  it('a user name and password', async () => {
    await write('.docker/config.json', 'broken')
    const given = await findCredential({ registry: 'r.test', repository: '', environment, username: 'ann', password: 'p' })
    expect(given?.secret).toEqual(basic('ann', 'p'))
  })
})

describe('a credential helper', () => {
  it('is asked for the registry on stdin', async () => {
    await helper(
      'one',
      'read url; [ "$1" = get ] && echo "{\\"ServerURL\\":\\"$url\\",\\"Username\\":\\"ann\\",\\"Secret\\":\\"for $url\\"}"',
    )
    await write('.docker/config.json', { credHelpers: { 'r.test': 'one' }, credsStore: 'other' })
    expect(await find('r.test')).toEqual({ secret: basic('ann', 'for r.test'), source: 'docker-credential-one' })
  })

  it('of credsStore serves every other registry, Docker Hub by its old address; <token> marks an identity token', async () => {
    await helper('all', 'read url; echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"$url\\"}"')
    await write('.docker/config.json', { credsStore: 'all' })
    expect((await find('docker.io'))?.secret).toEqual({ kind: 'identity', token: 'https://index.docker.io/v1/' })
  })

  it('that knows nothing leaves the file to say', async () => {
    await helper('empty', 'echo "credentials not found in native keychain"; exit 1')
    await write('.docker/config.json', { credsStore: 'empty', auths: { 'r.test': auth('file', '1') } })
    expect((await find('r.test'))?.secret).toEqual(basic('file', '1'))
  })

  it.each(['../x', '/bin/sh', 'a b', 'x;id', '', '.hidden', '-flag', 'a/../../x'])('named %j is never run', async (name) => {
    await helper('x', `touch ${join(home, 'ran')}`)
    await write('.docker/config.json', { credHelpers: { 'r.test': name } })
    await expect(find('r.test')).rejects.toMatchObject({ code: 'credential_helper_failed' })
    expect(await readdir(home)).not.toContain('ran')
  })

  it.each([
    ['fails', 'echo my-secret; exit 3'],
    ['answers garbage', 'echo my-secret'],
    ['answers something else', 'echo "{\\"Secret\\":\\"my-secret\\"}"'],
    ['answers without end', 'while :; do echo my-secret; done'],
    ['does not answer', 'exec sleep 30'],
  ])('that %s is a failure that shows no secret', async (_name, script) => {
    await helper('bad', script)
    await write('.docker/config.json', { credHelpers: { 'r.test': 'bad' } })
    const failure = (await find('r.test').catch((error: unknown) => error)) as Error
    expect(failure).toMatchObject({ code: 'credential_helper_failed' })
    expect(`${failure.message}${String(failure.cause)}`).not.toContain('my-secret')
  })

  it('that is not installed is a failure', async () => {
    await write('.docker/config.json', { credHelpers: { 'r.test': 'nowhere' } })
    await expect(find('r.test')).rejects.toMatchObject({ code: 'credential_helper_failed' })
  })
})

describe('login and logout', () => {
  it('keep and forget credentials, and every other field of the file', async () => {
    const before = {
      HttpHeaders: { A: 'b' },
      auths: { 'o.test': auth('o', '1'), 'https://r.test/v1/': auth('old', '1') },
      plugins: { big: 1 },
    }
    const file = await write('.docker/config.json', before)
    expect(await storeCredentials({ registry: 'r.test', username: 'ann', password: 'p:w', environment })).toEqual({ storedIn: file })
    expect((await find('r.test'))?.secret).toEqual(basic('ann', 'p:w'))
    const after = JSON.parse(await readFile(file, 'utf8')) as unknown
    expect(after).toEqual({ ...before, auths: { 'o.test': auth('o', '1'), 'r.test': auth('ann', 'p:w') } })
    expect(await eraseCredentials({ registry: 'r.test', environment })).toBe(true)
    expect(await eraseCredentials({ registry: 'r.test', environment })).toBe(false)
    expect(await find('r.test')).toBeUndefined()
    expect((await find('o.test'))?.secret).toEqual(basic('o', '1'))
  })

  it('make the file readable by its owner alone, and leave no other file', async () => {
    const { storedIn } = await storeCredentials({ registry: 'docker.io', username: 'ann', password: 'p', environment })
    expect((await stat(storedIn)).mode & 0o777).toBe(0o600)
    expect(await readdir(dirname(storedIn))).toEqual(['config.json'])
    expect(Object.keys((JSON.parse(await readFile(storedIn, 'utf8')) as { auths: object }).auths)).toEqual(['https://index.docker.io/v1/'])
  })

  it('write through a link to the file', async () => {
    const file = await write('dotfiles/config.json', { auths: {} })
    await mkdir(join(home, '.docker'))
    await symlink(file, join(home, '.docker', 'config.json'))
    await storeCredentials({ registry: 'r.test', username: 'ann', password: 'p', environment })
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ auths: { 'r.test': auth('ann', 'p') } })
  })

  it('use the configured helper and keep no secret in the file', async () => {
    await helper(
      'keep',
      `case "$1" in store) cat > ${join(home, 'kept')};; get) cat ${join(home, 'kept')};; erase) rm ${join(home, 'kept')};; esac`,
    )
    const file = await write('.docker/config.json', { credsStore: 'keep' })
    expect(await storeCredentials({ registry: 'r.test', username: 'ann', password: 'pw', environment })).toEqual({
      storedIn: 'docker-credential-keep',
    })
    expect(JSON.parse(await readFile(join(home, 'kept'), 'utf8'))).toEqual({ ServerURL: 'r.test', Username: 'ann', Secret: 'pw' })
    expect(await readFile(file, 'utf8')).toBe('{"credsStore":"keep"}')
    expect(await eraseCredentials({ registry: 'r.test', environment })).toBe(true)
    expect(await readdir(home)).not.toContain('kept')
  })

  it('never replace a file that does not parse', async () => {
    const file = await write('.docker/config.json', 'broken')
    await expect(storeCredentials({ registry: 'r.test', username: 'a', password: 'b', environment })).rejects.toMatchObject({
      code: 'credentials_malformed',
    })
    expect(await readFile(file, 'utf8')).toBe('broken')
  })

  it('need a place', async () => {
    await expect(storeCredentials({ registry: 'r.test', username: 'a', password: 'b', environment: {} })).rejects.toMatchObject({
      code: 'usage',
    })
  })
})
