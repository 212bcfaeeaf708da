import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { parseSigningConfig } from '@countersign/core/trust/signing-config'
import { countersign, startServer, testFolder } from './serving.ts'

describe('serve', { timeout: 120_000 }, () => {
  it('prints one line of JSON with every address when it is ready, without any secret, and ends 0 on SIGTERM', async () => {
    const folder = testFolder()
    const { ready, process: server, output, ended } = await startServer(folder)
    const { addresses, publicUrl } = ready
    for (const [name, path] of [
      ['fulcio', '/fulcio'],
      ['rekor2', '/rekor2'],
      ['tsa', '/tsa/api/v1/timestamp'],
      ['tuf', '/tuf'],
      ['healthz', '/healthz'],
      ['readyz', '/readyz'],
      ['metrics', '/metrics'],
    ] as const)
      expect(addresses[name]).toBe(`${publicUrl}${path}`)
    expect(ready.pid).toBe(server.pid)
    expect((await fetch(addresses['readyz']!)).status).toBe(200)
    server.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(output.stdout.trimEnd().split('\n')).toHaveLength(1)
    const passphrase = readFileSync(join(folder, 'platform/passphrase'), 'utf8').trim()
    expect(output.stdout + output.stderr).not.toContain(passphrase)
    expect(output.stdout + output.stderr).not.toContain('/welcome/')
  })

  it('ends at once on the second signal', async () => {
    const { process: server, ready, ended } = await startServer(testFolder())
    // A request that does not end keeps the first signal waiting. The server asks for its body, so it is there.
    const headers = { 'content-type': 'application/timestamp-query', 'content-length': '100', expect: '100-continue' }
    const hanging = request(ready.addresses['tsa']!, { method: 'POST', headers })
    const cutOff = new Promise((resolve) => hanging.once('error', resolve))
    await new Promise((resolve) => hanging.once('continue', resolve).flushHeaders())
    server.kill('SIGTERM')
    const answer = (): Promise<string> =>
      fetch(ready.addresses['healthz']!).then(
        () => 'answered',
        () => 'refused',
      )
    await expect.poll(answer).toBe('refused')
    expect(server.exitCode).toBe(null)
    server.kill('SIGTERM')
    expect(await ended).toBe(143)
    expect(await cutOff).toBeInstanceOf(Error)
  })

  it('survives SIGHUP, which only reads the certificate again', async () => {
    const { process: server, ready, ended } = await startServer(testFolder())
    server.kill('SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await fetch(ready.addresses['healthz']!)).status).toBe(200)
    server.kill('SIGINT')
    expect(await ended).toBe(0)
  })

  it('starts again after kill -9, on the same port, with the same trust', async () => {
    const folder = testFolder()
    const first = await startServer(folder)
    const root = await (await fetch(`${first.ready.addresses['tuf']}/1.root.json`)).text()
    first.process.kill('SIGKILL')
    await first.ended
    const second = await startServer(folder)
    expect(second.ready.publicUrl).toBe(first.ready.publicUrl)
    expect(await (await fetch(`${second.ready.addresses['tuf']}/1.root.json`)).text()).toBe(root)
  })

  it('reports a start that failed as every verb does', async () => {
    const { status, stdout } = await countersign(testFolder(), 'serve', '--data', 'platform', '--no-create', '--report', 'json')
    expect([status, (JSON.parse(stdout) as { failure: { code: string } }).failure.code]).toEqual([2, 'data_folder_missing'])
  })
})

describe('kit', { timeout: 120_000 }, () => {
  it('writes root, trusted root, signing config, keys, certificates and an environment for gitsign, and prints the fingerprint', async () => {
    const folder = testFolder()
    const { ready } = await startServer(folder)
    const { status, stdout } = await countersign(folder, 'kit', '--url', ready.publicUrl, 'kit of the team')
    const read = (name: string): string => readFileSync(join(folder, 'kit of the team', name), 'utf8')
    expect(status).toBe(0)
    expect(stdout).toContain(`SHA-256 of the root: ${createHash('sha256').update(read('root.json')).digest('hex')}\n`)
    expect(parseTrustedRoot(Buffer.from(read('trusted_root.json'))).logs.length).toBeGreaterThan(0)
    const config = parseSigningConfig(Buffer.from(read('signing_config.json')))
    expect(config.logUrls.map(({ url, majorApiVersion }) => [url, majorApiVersion])).toContainEqual([`${ready.publicUrl}/rekor2`, 2])
    for (const name of ['rekor2.pub', 'ctfe.pub', 'fulcio.pem', 'tsa.pem']) expect(read(name)).toMatch(/^-----BEGIN /)
    expect(read('env.sh')).toContain(`export SIGSTORE_ROOT_FILE='${join(folder, 'kit of the team')}/fulcio.pem'`)
  })

  it('takes no other root than the one whose checksum was given', async () => {
    const folder = testFolder()
    const { ready } = await startServer(folder)
    const { status, stderr } = await countersign(folder, 'kit', '--url', ready.publicUrl, '--root-checksum', '0'.repeat(64), 'kit')
    expect([status, stderr]).toEqual([15, expect.stringContaining('not the one whose checksum was given')])
  })

  it('asks for the checksum off loopback, and for https', async () => {
    const folder = testFolder()
    expect(await countersign(folder, 'kit', '--url', 'https://sign.example.invalid', 'kit')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('needs its checksum') as string,
    })
    expect((await countersign(folder, 'kit', '--url', 'http://sign.example.invalid', 'kit')).status).toBe(2)
    expect((await countersign(folder, 'kit', 'kit')).status).toBe(2)
  })
})
