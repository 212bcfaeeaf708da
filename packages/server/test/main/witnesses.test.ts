import { createHash, verify } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cosignedTree } from '@countersign/core/note/subtree-cosignature'
import { parseCheckpoint } from '@countersign/core/note/checkpoint'
import { parseSignedNote } from '@countersign/core/note/signed-note'
import { parseVerifierKey, signedBy } from '@countersign/core/note/verifier-key'
import { serverPrimitives } from '@countersign/server/base/crypto/primitives'
import { serve, type Serving } from '@countersign/server/main/serve'
import { logged, newKey } from './logging.ts'
import { requestFor, serveIn, testFolder } from './starting.ts'

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()
const keyOf = async (serving: Serving, service: string): Promise<string> =>
  (await textOf(`${serving.publicUrl}/${service}/verifier-key`)).split('\n')[0] as string

const logOne = (serving: Serving): ReturnType<typeof logged> => logged(serving, newKey(), serving.publicUrl)

describe('two installations', { timeout: 120_000 }, () => {
  it('cosign each other’s logs, and each log is signed as before', async () => {
    const places = ['127.0.0.1', '127.0.0.2'].map((host) => ({ host, data: join(testFolder(), 'data') }))
    const starting = async (log: (at: number) => object): Promise<Serving[]> =>
      Promise.all(
        places.map(async ({ host, data }, at) => {
          const config = join(data, '..', 'server.yaml')
          writeFileSync(config, JSON.stringify({ log: log(at) }))
          return serve(requestFor(data, { listen: `${host}:0`, config }))
        }),
      )
    const stopping = (servers: readonly Serving[]): Promise<unknown> => Promise.all(servers.map(({ stop }) => stop()))

    const plain = await starting(() => ({}))
    const logs = await Promise.all(plain.map((serving) => keyOf(serving, 'rekor2')))
    expect(await textOf(`${plain[0]?.publicUrl}/witness/verifier-key`)).toContain('not_found')
    await stopping(plain)
    const known = await starting((at) => ({ witnessFor: [logs[1 - at]] }))
    const keys = await Promise.all(known.map((serving) => keyOf(serving, 'witness')))
    const urls = known.map(({ addresses }) => addresses['witness'] as string)
    await stopping(known)

    const servers = await starting((at) => ({
      witnessFor: [logs[1 - at]],
      witness: { witnesses: [{ key: keys[1 - at], url: urls[1 - at] }], whenFewer: 'closed' },
    }))
    try {
      for (const [at, serving] of servers.entries()) {
        const { status, checkpoint } = await logOne(serving)
        expect(status).toBe(201)
        const note = parseSignedNote(checkpoint)
        const signed = await Promise.all(
          [logs[at], keys[1 - at]].map(async (key) =>
            signedBy(serverPrimitives, note, await parseVerifierKey(serverPrimitives, key as string)),
          ),
        )
        expect(signed).not.toContain(undefined)
        expect(await textOf(`${serving.publicUrl}/rekor2/api/v2/checkpoint`)).toBe(checkpoint)
        expect(parseCheckpoint(note.text).size).toBe(1)
      }
      // The witness whose keys were made before is the same after two starts.
      expect(await Promise.all(servers.map((serving) => keyOf(serving, 'witness')))).toEqual(keys)
    } finally {
      await stopping(servers)
    }
  })

  it('of which the witness does not answer, serve what they have, or nothing, as the policy says', async () => {
    const data = join(testFolder(), 'data')
    const config = join(data, '..', 'server.yaml')
    const key = 'w.example+4bf1ec5c+BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g'
    const hash = createHash('sha256')
      .update('w.example\n')
      .update(Buffer.from('BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g', 'base64'))
      .digest('hex')
      .slice(0, 8)
    const named = key.replace('4bf1ec5c', hash)
    writeFileSync(join(data, '..', 'policy'), `witness w ${named} http://127.0.0.1:1/\ngroup g all w\nquorum g\n`)
    for (const [whenFewer, status] of [
      ['open', 201],
      ['closed', 503],
    ] as const) {
      writeFileSync(config, JSON.stringify({ log: { witness: { policy: 'policy', whenFewer } } }))
      const serving = await serve(requestFor(data, { config }))
      expect([whenFewer, (await logOne(serving)).status]).toEqual([whenFewer, status])
      await serving.stop()
    }
  })

  it('are refused where what they are told of witnesses cannot be', async () => {
    const data = join(testFolder(), 'data')
    const config = join(data, '..', 'server.yaml')
    const wrong = 'w.example+00000000+BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g'
    for (const [log, code] of [
      [{ witness: { witnesses: [{ key: wrong, url: 'https://w.example' }] } }, 'key_malformed'],
      [{ witness: { witnesses: [{ key: wrong, url: 'http://w.example' }] } }, 'insecure_transport'],
      [{ witness: { witnesses: [{ key: 'w', url: 'https://w.example' }] } }, 'config_malformed'],
      [{ witness: { policy: 'absent' } }, 'file_not_found'],
      [{ witnessFor: [wrong] }, 'key_malformed'],
    ] as const) {
      writeFileSync(config, JSON.stringify({ log }))
      await expect(serve(requestFor(data, { config }))).rejects.toMatchObject({ code })
    }
  })
})

describe('a witness', () => {
  it('cosigns with ML-DSA-44 beside Ed25519', async () => {
    const data = join(testFolder(), 'data')
    const config = join(data, '..', 'server.yaml')
    const first = await serveIn(data)
    const log = await keyOf(first, 'rekor2')
    const checkpoint = (await logOne(first)).checkpoint
    await first.stop()
    // Its own log stands for that of another.
    writeFileSync(config, JSON.stringify({ log: { witnessFor: [log] } }))
    const serving = await serveIn(data, { config })
    const reply = await fetch(`${serving.addresses['witness']}/add-checkpoint`, { method: 'POST', body: `old 0\n\n${checkpoint}` })
    expect(reply.status).toBe(200)
    const { text, signatures } = parseSignedNote(`${parseSignedNote(checkpoint).text}\n${await reply.text()}`)
    const [, second] = (await textOf(`${serving.addresses['witness']}/verifier-key`)).split('\n')
    // Base64 has plus signs too.
    const [name = '', , ...encoded] = (second as string).split('+')
    const raw = Buffer.from(encoded.join('+'), 'base64').subarray(1)
    const line = signatures[1]?.signature as Uint8Array
    const seconds = Number(Buffer.from(line).readBigUInt64BE(0))
    const key = { key: Buffer.concat([mlDsaHeader, raw]), format: 'der', type: 'spki' } as const
    expect(verify(null, cosignedTree(name, seconds, parseCheckpoint(text)), key, line.subarray(8))).toBe(true)
    expect(name).toBe('127.0.0.1/witness')
  })
})

/** RFC 9881: the SubjectPublicKeyInfo of ML-DSA-44 up to the key. */
const mlDsaHeader = Buffer.from('30820532300b06096086480165030403110382052100', 'hex')
