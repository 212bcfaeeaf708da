import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encryptPrivateKey } from '../../src/keys/encrypted-key.ts'
import { type KeyIo, loadPublicHalf, loadPublicKey, loadSigner, parseKeyReference } from '../../src/keys/key-reference.ts'
import { nodeKeyIo } from '../../src/keys/node-key-io.ts'
import { passwordSource } from '../../src/keys/password.ts'

const refusal = (code: string): unknown => expect.objectContaining({ code })
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicPem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString()
let folder: string
let privatePem: string
let io: KeyIo

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'key-reference-'))
  privatePem = await encryptPrivateKey(pair.privateKey.export({ format: 'der', type: 'pkcs8' }), utf8('pw'))
  await writeFile(join(folder, 'a.pub'), publicPem)
  await writeFile(join(folder, 'a.key'), privatePem)
  await writeFile(join(folder, 'huge.pub'), new Uint8Array(2 * 1024 * 1024))
  io = nodeKeyIo({ PUB: publicPem, KEY: privatePem, EMPTY: '' })
})
afterAll(() => rm(folder, { recursive: true }))

describe('a key reference', () => {
  it.each([
    ['cosign.pub', { kind: 'file', path: 'cosign.pub' }],
    ['C:\\keys\\cosign.pub', { kind: 'file', path: 'C:\\keys\\cosign.pub' }],
    ['env://COSIGN_PUBLIC_KEY', { kind: 'environment', variable: 'COSIGN_PUBLIC_KEY' }],
  ])('"%s" is taken apart', (reference, expected) => {
    expect(parseKeyReference(reference)).toEqual(expected)
  })

  it.each(['https://keys.example/a.pub', 'http://127.0.0.1:8080/a.pub', 'http://localhost/a.pub', 'http://[::1]/a.pub'])(
    '"%s" is a URL',
    (reference) => {
      expect(parseKeyReference(reference)).toMatchObject({ kind: 'url', url: { href: reference } })
    },
  )

  it.each(['awskms', 'gcpkms', 'azurekms', 'hashivault', 'k8s', 'gitlab', 'github', 'openbao', 'file', 'ftp', 'AWSKMS'])(
    'to %s:// is refused by name',
    (scheme) => {
      expect(() => parseKeyReference(`${scheme}://something`)).toThrow(
        expect.objectContaining({ code: 'not_supported', hint: expect.any(String) }),
      )
    },
  )

  it('to pkcs11: is refused by name', () => {
    expect(() => parseKeyReference('pkcs11:token=t;object=k')).toThrow(
      expect.objectContaining({ code: 'not_supported', message: expect.stringContaining('PKCS#11') }),
    )
  })

  it.each(['http://keys.example/a.pub', 'http://127.0.0.1.example/a.pub', 'http://10.0.0.1/a.pub'])(
    '"%s" is refused: whoever sits on the line could answer',
    (reference) => {
      expect(() => parseKeyReference(reference)).toThrow(refusal('insecure_transport'))
    },
  )

  it.each(['', 'env://', 'env://A=B', 'https://', 'https://user:secret@keys.example/a.pub', 'a\0b'])(
    '"%s" is refused as wrong usage',
    (reference) => {
      expect(() => parseKeyReference(reference)).toThrow(refusal('usage'))
    },
  )
})

describe('loading a public key', () => {
  it('reads files and the environment', async () => {
    for (const reference of [join(folder, 'a.pub'), 'env://PUB']) {
      expect(encodePublicKeyPem(await loadPublicKey(reference, io))).toBe(publicPem)
    }
  })

  it('tells what is missing, too large or not there', async () => {
    await expect(loadPublicKey(join(folder, 'none.pub'), io)).rejects.toThrow(refusal('file_not_found'))
    await expect(loadPublicKey(join(folder, 'huge.pub'), io)).rejects.toThrow(refusal('limit_exceeded'))
    await expect(loadPublicKey(folder, io)).rejects.toThrow(refusal('io_failed'))
    await expect(loadPublicKey('env://NONE', io)).rejects.toThrow(refusal('usage'))
    await expect(loadPublicKey('env://EMPTY', io)).rejects.toThrow(refusal('pem_malformed'))
  })

  it.skipIf(process.platform === 'win32')('stops at the limit where a file has no end', async () => {
    await expect(loadPublicKey('/dev/zero', io)).rejects.toThrow(refusal('limit_exceeded'))
  })

  it('refuses a private key: whoever verifies must not need it', async () => {
    await expect(loadPublicKey(join(folder, 'a.key'), io)).rejects.toThrow(refusal('key_unsupported'))
  })

  it('derives the public half of a private key only where that is asked for', async () => {
    const sources = { io, password: passwordSource({ COSIGN_PASSWORD: 'pw' }) }
    expect(encodePublicKeyPem(await loadPublicHalf(join(folder, 'a.key'), sources))).toBe(publicPem)
    expect(encodePublicKeyPem(await loadPublicHalf('env://PUB', sources))).toBe(publicPem)
  })
})

describe('loading a signer', () => {
  it('opens a file or a variable with the password', async () => {
    for (const reference of [join(folder, 'a.key'), 'env://KEY']) {
      const signer = await loadSigner(reference, { io, password: passwordSource({ COUNTERSIGN_PASSWORD: 'pw' }) })
      expect(encodePublicKeyPem(signer.publicKey)).toBe(publicPem)
    }
  })

  it('tells a wrong password from none', async () => {
    await expect(loadSigner('env://KEY', { io, password: passwordSource({ COSIGN_PASSWORD: 'other' }) })).rejects.toThrow(
      refusal('key_password_wrong'),
    )
    await expect(loadSigner('env://KEY', { io, password: passwordSource({}) })).rejects.toThrow(refusal('key_password_missing'))
  })

  it('asks for no password before the file is sound', async () => {
    const asked: string[] = []
    const password = passwordSource({}, async () => {
      asked.push('password')
      return undefined
    })
    await expect(loadSigner('env://PUB', { io, password })).rejects.toThrow(refusal('key_unsupported'))
    expect(asked).toEqual([])
  })
})

describe('the password', () => {
  const text = async (environment: Record<string, string>, prompt?: () => Promise<Uint8Array>): Promise<string | undefined> => {
    const password = await passwordSource(environment, prompt)()
    return password && Buffer.from(password).toString()
  }

  it('is ours before cosign’s, also when it is empty, and the person is asked last', async () => {
    const prompt = async (): Promise<Uint8Array> => utf8('typed')
    expect(await text({ COUNTERSIGN_PASSWORD: 'a', COSIGN_PASSWORD: 'b' }, prompt)).toBe('a')
    expect(await text({ COUNTERSIGN_PASSWORD: '', COSIGN_PASSWORD: 'b' }, prompt)).toBe('')
    expect(await text({ COSIGN_PASSWORD: 'b' }, prompt)).toBe('b')
    expect(await text({}, prompt)).toBe('typed')
    expect(await text({})).toBeUndefined()
  })
})

describe('a key from a URL', () => {
  const servers: Server[] = []
  const serve = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  afterAll(() => {
    for (const server of servers) server.close()
  })

  it('is read, also behind a redirect of the same server', async () => {
    const origin = await serve((request, response) => {
      if (request.url === '/a.pub') response.end(publicPem)
      else response.writeHead(302, { location: '/a.pub' }).end()
    })
    expect(encodePublicKeyPem(await loadPublicKey(`${origin}/a.pub`, io))).toBe(publicPem)
    expect(encodePublicKeyPem(await loadPublicKey(`${origin}/moved`, io))).toBe(publicPem)
  })

  it('is refused when a redirect leads to plain http elsewhere', async () => {
    const target = await serve((_, response) => response.end(publicPem))
    const origin = await serve((_, response) => response.writeHead(302, { location: `${target}/a.pub` }).end())
    await expect(loadPublicKey(`${origin}/a.pub`, io)).rejects.toThrow(refusal('insecure_transport'))
  })

  it('is refused when the server redirects without end', async () => {
    const origin = await serve((_, response) => response.writeHead(302, { location: '/again' }).end())
    await expect(loadPublicKey(`${origin}/a.pub`, io)).rejects.toThrow(refusal('registry_response_malformed'))
  })

  it('is refused when the server says no, or sends without end', async () => {
    const origin = await serve((request, response) => {
      if (request.url === '/no') return response.writeHead(404).end()
      const send = (): void => {
        while (response.write(Buffer.alloc(64 * 1024)));
        response.once('drain', send)
      }
      return send()
    })
    await expect(loadPublicKey(`${origin}/no`, io)).rejects.toThrow(refusal('registry_response_malformed'))
    await expect(loadPublicKey(`${origin}/endless`, io)).rejects.toThrow(refusal('limit_exceeded'))
  })
})
