/** cosign and our client against an installation of ours: each command as a user types it after the one line of `initialize`, and what it asks. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missingPeers } from './peers.ts'
import { expectExit, shown, type Tool } from './command.ts'
import { pushImage } from './images.ts'
import { type Installation, startInstallation } from './installation.ts'
import { startRegistries, type Registries } from './registries.ts'

type Log = 'Rekor v1' | 'Rekor v2'
const tools: readonly Tool[] = ['cosign', 'ours']
const logs: readonly Log[] = ['Rekor v2', 'Rekor v1']
/** A TUF client that is up to date asks whether there is a next root, and for the timestamp. */
const tufRefresh = ['GET /tuf/2.root.json 404', 'GET /tuf/timestamp.json 200']

describe.skipIf(missingPeers('cosign', 'docker-registry').length > 0)('an installation of one command', () => {
  let place: Installation
  let registries: Registries

  beforeAll(async () => {
    ;[place, registries] = await Promise.all([startInstallation(), startRegistries()])
    writeFileSync(join(place.folder, 'file.txt'), 'hello\n')
    writeFileSync(join(place.folder, 'predicate.json'), '{"answer":42}')
    const root = await fetch(`${place.url}/kit/root.json`)
    writeFileSync(join(place.folder, 'root.json'), await root.text())
    const args = ['initialize', '--mirror', `${place.url}/tuf`, '--root', 'root.json']
    expectExit(await place.peer('cosign', args), 0, 'cosign initialize')
    expectExit(await place.ours(args, { env: { TUF_ROOT: join(place.folder, 'tuf-ours') } }), 0, 'initialize')
  })

  afterAll(async () => {
    await registries?.close()
    await place?.stop()
  })

  const by = (who = 'ada'): readonly string[] => [`--certificate-identity=${who}@example.org`, `--certificate-oidc-issuer=${place.issuer}`]
  /** Signs, and asks exactly the services that it should, in that order where the client has one. */
  const sign = async (tool: Tool, log: Log, args: readonly string[]): Promise<void> => {
    const config = log === 'Rekor v1' ? ['--signing-config', await place.signingConfig(1)] : []
    const [verb = '', ...rest] = args
    const all = [verb, ...config, '--identity-token', await place.token('ada'), ...(tool === 'cosign' ? ['--yes'] : []), ...rest]
    place.requests()
    expectExit(tool === 'cosign' ? await place.peer('cosign', all) : await place.ours(all), 0, `${tool} ${verb}`)
    const requests = place.requests()
    const entry = log === 'Rekor v1' ? 'POST /rekor/api/v1/log/entries 201' : 'POST /rekor2/api/v2/log/entries 201'
    const asked = ['POST /fulcio/api/v2/signingCert 200', 'POST /tsa/api/v1/timestamp 200', entry]
    // Log and timestamp authority are asked at once by us, one after the other by cosign, which reads the trusted root, and the config if none is named.
    if (tool === 'ours') expect(requests.toSorted()).toEqual(asked.toSorted())
    else expect(requests).toEqual([...tufRefresh, ...(log === 'Rekor v1' ? [] : tufRefresh), ...asked])
  }
  /** Both accept, and ask no service while they do. */
  const bothAccept = async (args: readonly string[]): Promise<void> => {
    place.requests()
    expect(shown(await place.peer('cosign', [...args, ...by()]))).toBe('exit 0')
    expect(place.requests()).toEqual(tufRefresh)
    expect(shown(await place.ours([...args, ...by()]))).toBe('exit 0')
    expect(place.requests()).toEqual([])
  }

  it('is what cosign initialize finds: root, and the two targets', async () => {
    place.requests()
    const args = ['initialize', '--mirror', `${place.url}/tuf`, '--root', 'root.json']
    expectExit(await place.peer('cosign', args, { env: { TUF_ROOT: join(place.folder, 'tuf-again') } }), 0, 'cosign initialize')
    expect(place.requests()).toEqual([
      ...tufRefresh,
      'GET /tuf/1.snapshot.json 200',
      'GET /tuf/1.targets.json 200',
      'GET /tuf/targets/<h>.signing_config.v0.2.json 200',
      ...tufRefresh,
      'GET /tuf/targets/<h>.trusted_root.json 200',
    ])
  })

  for (const tool of tools) {
    for (const log of logs) {
      it(`${tool} signs and attests a file keyless, with ${log}; both verify it`, async () => {
        const bundle = `file-${tool}-${log.slice(-2)}.json`
        await sign(tool, log, ['sign-blob', '--bundle', bundle, 'file.txt'])
        await bothAccept(['verify-blob', '--bundle', bundle, 'file.txt'])
        const { verificationMaterial } = JSON.parse(readFileSync(join(place.folder, bundle), 'utf8')) as {
          verificationMaterial: { tlogEntries: { kindVersion: object }[] }
        }
        const version = log === 'Rekor v2' ? '0.0.2' : '0.0.1'
        expect(verificationMaterial.tlogEntries[0]?.kindVersion).toEqual({ kind: 'hashedrekord', version })

        const attested = `attested-${bundle}`
        const predicate = ['--predicate', 'predicate.json', '--type', 'custom']
        await sign(tool, log, ['attest-blob', '--bundle', attested, ...predicate, 'file.txt'])
        await bothAccept(['verify-blob-attestation', '--bundle', attested, '--type', 'custom', 'file.txt'])
      })

      it(`${tool} signs and attests an image keyless, with ${log}; both verify it`, async () => {
        const name = `${tool}-${log.slice(-2)}`
        const digest = await pushImage(registries.docker, name, 'latest', name)
        const image = `${registries.docker}/${name}@${digest}`
        await sign(tool, log, ['sign', image])
        await bothAccept(['verify', image])
        await sign(tool, log, ['attest', '--predicate', 'predicate.json', '--type', 'custom', image])
        await bothAccept(['verify-attestation', '--type', 'custom', image])
        expect((await place.peer('cosign', ['verify', ...by('bob'), image])).code).not.toBe(0)
        expect((await place.ours(['verify', ...by('bob'), image])).code).toBe(12)
      })
    }
  }

  it("has what a key of one's own signs logged and stamped, without a certificate, when it is asked to", async () => {
    expectExit(await place.ours(['generate-key-pair']), 0, 'generate-key-pair')
    const key = ['--key', 'cosign.key', '--bundle', 'key.json', 'file.txt']
    place.requests()
    expectExit(await place.peer('cosign', ['sign-blob', '--yes', ...key]), 0, 'cosign sign-blob --key')
    const asked = ['POST /tsa/api/v1/timestamp 200', 'POST /rekor2/api/v2/log/entries 201']
    expect(place.requests()).toEqual([...tufRefresh, ...tufRefresh, ...asked])
    expectExit(await place.ours(['verify-blob', '--key', 'cosign.pub', '--bundle', 'key.json', 'file.txt']), 0, 'verify-blob')
    expect(place.requests()).toEqual([])
    expectExit(await place.ours(['sign-blob', ...key]), 0, 'sign-blob --key')
    expect(place.requests()).toEqual([])
    for (const version of [1, 2] as const) {
      expectExit(await place.ours(['sign-blob', '--signing-config', await place.signingConfig(version), ...key]), 0, 'sign-blob --key')
      const entries = `POST /rekor${version === 1 ? '' : '2'}/api/v${version}/log/entries 201`
      const requests = place.requests().filter((line) => !line.startsWith('GET /kit'))
      expect(new Set(requests)).toEqual(new Set([entries, asked[0]]))
      for (const verifier of ['cosign', 'ours'] as const) {
        const verify = ['verify-blob', '--key', 'cosign.pub', '--bundle', 'key.json', 'file.txt']
        expectExit(verifier === 'ours' ? await place.ours(verify) : await place.peer('cosign', verify), 0, `${verifier} verify-blob`)
      }
      place.requests()
    }
  })

  it('gives the proof again when an answer of the log was lost: one entry, one certificate, one signature', async () => {
    for (const [log, path] of [
      ['Rekor v2', '/rekor2/api/v2/log/entries'],
      ['Rekor v1', '/rekor/api/v1/log/entries'],
    ] as const) {
      let lost = 0
      place.proxy.change((exchange) => (exchange.method === 'POST' && exchange.path === path && lost++ === 0 ? 'lost' : exchange))
      const config = ['--signing-config', await place.signingConfig(log === 'Rekor v1' ? 1 : 2)]
      const token = await place.token('ada')
      place.proxy.taken()
      const bundle = ['--bundle', 'lost.json', 'file.txt']
      expectExit(await place.ours(['sign-blob', ...config, '--identity-token', token, ...bundle]), 0, 'sign-blob')
      place.proxy.change()
      const exchanges = place.proxy.taken()
      const entries = exchanges.filter((exchange) => exchange.path === path)
      expect(entries.map(({ status }) => status)).toEqual([201, 409])
      expect(entries[0]?.requestBody.equals(entries[1]?.requestBody as Buffer)).toBe(true)
      expect(exchanges.filter((exchange) => exchange.path.endsWith('/signingCert')).length).toBe(1)
      await bothAccept(['verify-blob', ...bundle])
    }
  })

  it('gives a service account a token for its secret, and for no other', async () => {
    const create = ['account', 'create', 'robot', '--service', '--email', 'robot@example.org', '--data', place.data]
    writeFileSync(join(place.folder, 'secret'), expectExit(await place.ours(create), 0, 'account create').stdout)
    writeFileSync(join(place.folder, 'wrong'), 'another secret\n')
    const flow = ['--fulcio-auth-flow', 'client_credentials', '--oidc-client-id', 'robot']
    const signing = ['sign-blob', ...flow, '--bundle', 'robot.json', 'file.txt']
    const refused = await place.ours([...signing, '--oidc-client-secret-file', 'wrong'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('invalid_client')
    expectExit(await place.ours([...signing, '--oidc-client-secret-file', 'secret']), 0, 'sign-blob')
    expectExit(await place.ours(['verify-blob', ...by('robot'), '--bundle', 'robot.json', 'file.txt']), 0, 'verify-blob')
  })

  it('signs as whom the place says that has a token in a file, and as nobody whose account is disabled', async () => {
    writeFileSync(join(place.folder, 'token'), await place.token('carol'))
    const env = { SIGSTORE_ID_TOKEN_FILE: join(place.folder, 'token') }
    const signed = expectExit(await place.ours(['sign-blob', '--bundle', 'carol.json', 'file.txt'], { env }), 0, 'sign-blob')
    expect(signed.stderr).toContain('Signing as whom filesystem says this is')
    expectExit(await place.ours(['verify-blob', ...by('carol'), '--bundle', 'carol.json', 'file.txt']), 0, 'verify-blob')
    expectExit(await place.ours(['account', 'disable', 'carol', '--data', place.data]), 0, 'account disable')
    expect((await place.ours(['token', 'carol', '--data', place.data])).code).not.toBe(0)
    // What it signed stays valid.
    expectExit(await place.ours(['verify-blob', ...by('carol'), '--bundle', 'carol.json', 'file.txt']), 0, 'verify-blob')
  })

  it.each<[string, string, (body: Buffer) => Buffer]>([
    ['a certificate that its authority did not sign', '/fulcio/api/v2/signingCert', withJson(spoilCertificate)],
    ['a proof that leads elsewhere', '/rekor2/api/v2/log/entries', withJson((answer) => spoil(answer, 'rootHash'))],
    ['a checkpoint that nobody signed', '/rekor2/api/v2/log/entries', withJson((answer) => spoil(answer, 'envelope'))],
    ['a timestamp whose signature does not hold', '/tsa/api/v1/timestamp', spoilLast],
  ])('signs nothing on the word of a service that gives %s', async (_name, path, change) => {
    const digest = await pushImage(registries.docker, 'spoiled', 'latest', 'spoiled')
    const image = `${registries.docker}/spoiled@${digest}`
    const token = await place.token('ada')
    place.proxy.change((exchange) => (exchange.path === path ? { ...exchange, body: change(exchange.body) } : exchange))
    const blob = await place.ours(['sign-blob', '--identity-token', token, '--bundle', 'spoiled.json', 'file.txt'])
    const signed = await place.ours(['sign', '--identity-token', token, image])
    place.proxy.change()
    for (const { code, stderr } of [blob, signed]) {
      expect(stderr).toMatch(/the signature just made would not be accepted|makes no sense/)
      expect([1, 12, 15]).toContain(code)
    }
    expect(existsSync(join(place.folder, 'spoiled.json'))).toBe(false)
    expect((await place.ours(['verify', ...by(), image])).code).toBe(10)
  })

  it('is refused for another person, and for another issuer', async () => {
    await sign('ours', 'Rekor v2', ['sign-blob', '--bundle', 'refused.json', 'file.txt'])
    const verify = ['verify-blob', '--bundle', 'refused.json', 'file.txt']
    const elsewhere = ['--certificate-identity=ada@example.org', '--certificate-oidc-issuer=https://other.example']
    for (const other of [by('bob'), elsewhere]) {
      expect((await place.peer('cosign', [...verify, ...other])).code).not.toBe(0)
      expect((await place.ours([...verify, ...other])).code).toBe(12)
    }
  })
})

/** An answer with its JSON changed. */
function withJson(change: (answer: object) => void): (body: Buffer) => Buffer {
  return (body) => {
    const answer = JSON.parse(body.toString()) as object
    change(answer)
    return Buffer.from(JSON.stringify(answer))
  }
}

function spoilLast(body: Buffer): Buffer {
  const spoiled = Buffer.from(body)
  spoiled[spoiled.length - 1] = (spoiled.at(-1) as number) ^ 1
  return spoiled
}

/** The leaf's signature, inside of its PEM. */
function spoilCertificate(answer: object): void {
  const { certificates } = (answer as { signedCertificateEmbeddedSct: { chain: { certificates: string[] } } }).signedCertificateEmbeddedSct
    .chain
  const der = Buffer.from((certificates[0] ?? '').replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  const lines =
    spoilLast(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  certificates[0] = `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** The member of that name, wherever it is: the last byte of the base64 at its end. */
function spoil(value: object, name: string): void {
  for (const [key, member] of Object.entries(value)) {
    if (key === name && typeof member === 'string') {
      const [start = '', encoded = ''] = /^([^]*?)([\w+/=]+)\n?$/.exec(member)?.slice(1) ?? []
      Object.assign(value, { [key]: `${start}${spoilLast(Buffer.from(encoded, 'base64')).toString('base64')}${start === '' ? '' : '\n'}` })
    } else if (typeof member === 'object' && member !== null) spoil(member as object, name)
  }
}
