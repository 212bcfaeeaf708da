import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { fastify } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CountersignError } from '@countersign/core/failure'
import { utf8 } from '@countersign/core/bytes'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { formatAddCheckpoint } from '@countersign/core/note/add-checkpoint'
import { cosignatureSigner, signCheckpoint, type NoteSigner } from '@countersign/core/note/sign'
import { parseSignedNote } from '@countersign/core/note/signed-note'
import { formatVerifierKey, parseVerifierKey, signedBy, verifierKey, type VerifierKey } from '@countersign/core/note/verifier-key'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { soleLeases } from '../../src/base/leases/sole-leases.ts'
import { createTreeLog, openTreeLog, type OpenTreeLog } from '../../src/log/engine/open-log.ts'
import type { PublishedCheckpoint } from '../../src/log/tree-log.ts'
import { witnessClient, type Witness, type WitnessPolicy } from '../../src/log/witness/client.ts'
import { postTextThrough } from '../../src/log/witness/post-text.ts'
import { addCheckpoint, witnessService, type WitnessOptions } from '../../src/log/witness/service.ts'
import { entryOf, newLogKey, newLogPlace, origin, type LogPlace } from './logs.ts'

const witnessName = 'witness.example/w1'
let place: LogPlace
let log: OpenTreeLog
let witness: WitnessOptions
let witnessKey: VerifierKey

function newWitnessKey(): { privateKey: KeyObject; spki: Uint8Array } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) }
}

async function newSigner(name: string): Promise<{ signer: NoteSigner; key: VerifierKey }> {
  const { privateKey, spki } = newWitnessKey()
  const publicKey = parsePublicKey(spki)
  const signer = await cosignatureSigner(
    serverPrimitives,
    name,
    publicKey,
    (text) => new Uint8Array(sign(null, text, privateKey)),
    () => 1_800_000_000,
  )
  return { signer, key: await verifierKey(serverPrimitives, 'witness', name, publicKey) }
}

beforeEach(async () => {
  place = await newLogPlace()
  await createTreeLog(place.options())
  log = await openTreeLog(place.options({ leases: soleLeases(Date.now) }))
  const { signer, key } = await newSigner(witnessName)
  witnessKey = key
  const logKey = await verifierKey(serverPrimitives, 'log', origin, place.key.publicKey)
  witness = { database: place.database, signers: [signer], verifierKeys: [formatVerifierKey(key)], logs: [logKey] }
})
afterEach(async () => {
  await log.close()
  await place.remove()
})

async function ask(oldSize: number, checkpoint: PublishedCheckpoint, proof: readonly Uint8Array[] = []): ReturnType<typeof addCheckpoint> {
  return addCheckpoint(witness, utf8(formatAddCheckpoint({ oldSize, proof, note: checkpoint.note })))
}

describe('a witness', () => {
  it('cosigns a tree that grew from the one before, and says so with the time', async () => {
    const first = (await log.add(entryOf('a'))).checkpoint
    expect(await ask(0, first)).toMatchObject({ status: 200 })
    await log.add(entryOf('b'))
    const third = (await log.add(entryOf('c'))).checkpoint
    const { status, body } = await ask(1, third, await log.consistency(1, 3))
    expect(status).toBe(200)
    const note = parseSignedNote(`${parseSignedNote(third.note).text}\n${body}`)
    expect(await signedBy(serverPrimitives, note, witnessKey)).toMatchObject({ seconds: 1_800_000_000 })
    expect(await ask(3, third)).toMatchObject({ status: 200 })
  })

  it('answers 409 with the size that it knows to another old size', async () => {
    const { checkpoint } = await log.add(entryOf('a'))
    await ask(0, checkpoint)
    expect(await ask(0, checkpoint)).toEqual({ status: 409, body: '1\n', type: 'text/x.tlog.size' })
  })

  it('refuses a second tree of one size: the split view that it is there for', async () => {
    const { checkpoint } = await log.add(entryOf('a'))
    await ask(0, checkpoint)
    const other = { ...checkpoint, note: await signCheckpoint({ origin, size: 1, rootHash: new Uint8Array(32) }, [place.key.signer]) }
    expect(await ask(1, other)).toMatchObject({ status: 409 })
    const larger = { ...checkpoint, note: await signCheckpoint({ origin, size: 2, rootHash: new Uint8Array(32) }, [place.key.signer]) }
    expect(await ask(1, larger, [new Uint8Array(32)])).toMatchObject({ status: 422 })
    expect(await ask(1, larger)).toMatchObject({ status: 422 })
    expect(await ask(1, checkpoint)).toMatchObject({ status: 200 })
  })

  it('of two requests at once for different trees cosigns one', async () => {
    const one = {
      size: 1,
      rootHash: new Uint8Array(32),
      signedAt: 0,
      note: await signCheckpoint({ origin, size: 1, rootHash: new Uint8Array(32) }, [place.key.signer]),
    }
    const root = new Uint8Array(32).fill(1)
    const two = {
      size: 1,
      rootHash: root,
      signedAt: 0,
      note: await signCheckpoint({ origin, size: 1, rootHash: root }, [place.key.signer]),
    }
    const answers = await Promise.all([ask(0, one), ask(0, two)])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]))
  })

  it('answers 404 to a log that it does not know, 403 to a wrong key, 400 to what does not parse', async () => {
    const { checkpoint } = await log.add(entryOf('a'))
    const unknown = await signCheckpoint({ origin: 'other.example', size: 1, rootHash: checkpoint.rootHash }, [place.key.signer])
    expect(await ask(0, { ...checkpoint, note: unknown })).toMatchObject({ status: 404 })
    const forged = await signCheckpoint({ origin, size: 1, rootHash: checkpoint.rootHash }, [(await newLogKey()).signer])
    expect(await ask(0, { ...checkpoint, note: forged })).toMatchObject({ status: 403 })
    expect(await ask(2, checkpoint)).toMatchObject({ status: 400 })
    expect(await ask(0, checkpoint, [new Uint8Array(32)])).toMatchObject({ status: 422 })
    const hollow = await signCheckpoint({ origin, size: 0, rootHash: new Uint8Array(32) }, [place.key.signer])
    expect(await ask(0, { ...checkpoint, note: hollow })).toMatchObject({ status: 422 })
    for (const body of ['', 'old 1\n', `old 01\n\n${checkpoint.note}`, `old 0\nAAAA\n\n${checkpoint.note}`, `old 0\n${'\n'.repeat(3)}`]) {
      expect(await addCheckpoint(witness, utf8(body))).toMatchObject({ status: 400 })
    }
    const many = Array.from({ length: 64 }, () => new Uint8Array(32))
    expect(await ask(0, checkpoint, many)).toMatchObject({ status: 400 })
  })
})

describe('a witness of a log that has a new key', () => {
  it('begins anew with the new log, and goes on with the one before: no tree of one key stands for another', async () => {
    const first = (await log.add(entryOf('a'))).checkpoint
    expect(await ask(0, first)).toMatchObject({ status: 200 })
    const next = await newLogKey()
    const nextKey = await verifierKey(serverPrimitives, 'log', origin, next.publicKey)
    const checkpoint = await signCheckpoint({ origin, size: 1, rootHash: new Uint8Array(32) }, [next.signer])
    expect(await ask(0, { ...first, note: checkpoint })).toMatchObject({ status: 403 })
    witness = { ...witness, logs: [...witness.logs, nextKey] }
    expect(await ask(0, { ...first, note: checkpoint })).toMatchObject({ status: 200 })
    expect(await ask(1, first)).toMatchObject({ status: 200 })
    const other = await signCheckpoint({ origin, size: 1, rootHash: new Uint8Array(32).fill(1) }, [next.signer])
    expect(await ask(1, { ...first, note: other })).toMatchObject({ status: 409 })
  })
})

describe('a log with witnesses', () => {
  async function witnessed(change: Partial<WitnessPolicy> & { readonly witnesses: readonly Witness[] }): Promise<OpenTreeLog> {
    await log.close()
    const policy: WitnessPolicy = {
      quorum: 1,
      deadlineMs: 1_000,
      whenFewer: 'open',
      post: postTextThrough({}),
      failed: () => undefined,
      ...change,
    }
    log = await openTreeLog(place.options({ leases: soleLeases(Date.now), cosign: witnessClient(policy) }))
    return log
  }

  it('serves their cosignatures under its checkpoints, also after the witness knew another size', async () => {
    const app = fastify()
    const service = witnessService(witness)
    await app.register(async (child) => service.routes(child), { prefix: service.prefix })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const { checkpoint } = await log.add(entryOf('a'))
    await ask(0, checkpoint)
    const witnesses = [{ url: `${url}/witness`, key: witnessKey }]
    const cosigned = await witnessed({ witnesses })
    for (const text of ['b', 'c']) {
      const logged = await cosigned.add(entryOf(text))
      const note = parseSignedNote(logged.checkpoint.note)
      expect(note.signatures).toHaveLength(2)
      expect(await signedBy(serverPrimitives, note, witnessKey)).toBeDefined()
      expect(await cosigned.checkpoint()).toEqual(logged.checkpoint)
    }
    await app.close()
  })

  it('serves no line that the witness did not sign, and waits for nobody who is not there', async () => {
    const { signer } = await newSigner(witnessName)
    const failures: unknown[] = []
    const post: WitnessPolicy['post'] = async (url, _, signal) => {
      if (url.startsWith('http://silent'))
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      return {
        status: 200,
        type: 'text/plain',
        body: (await signCheckpoint({ origin, size: 9, rootHash: new Uint8Array(32) }, [signer])).split('\n\n')[1] ?? '',
      }
    }
    const witnesses = [
      { url: 'http://liar', key: witnessKey },
      { url: 'http://silent', key: witnessKey },
    ]
    const unwitnessed = await witnessed({ witnesses, post, deadlineMs: 1_500, failed: (_, failure) => failures.push(failure) })
    const { checkpoint } = await unwitnessed.add(entryOf('a'))
    expect(parseSignedNote(checkpoint.note).signatures).toHaveLength(1)
    expect(failures).toHaveLength(2)
    const start = performance.now()
    await unwitnessed.add(entryOf('b'))
    expect(performance.now() - start).toBeLessThan(1_400)
  })

  it('attack: a witness that says another size each time is asked twice, and no more', async () => {
    let asked = 0
    const post: WitnessPolicy['post'] = async () => ({ status: 409, type: 'text/x.tlog.size', body: `${++asked % 2}\n` })
    const unwitnessed = await witnessed({ witnesses: [{ url: 'http://x', key: witnessKey }], post })
    await unwitnessed.add(entryOf('a'))
    expect(asked).toBe(2)
  })

  it('refuses entries with too few of them where the policy is closed', async () => {
    const post: WitnessPolicy['post'] = async () => ({ status: 404, type: 'text/plain', body: '' })
    const closed = await witnessed({ witnesses: [{ url: 'http://x', key: witnessKey }], post, whenFewer: 'closed' })
    await expect(closed.add(entryOf('a'))).rejects.toMatchObject({ code: 'log_unavailable' })
  })

  it('attack: whoever asks again, or after a restart, gets no confirmation under a checkpoint that a closed policy does not let out', async () => {
    const app = fastify()
    const service = witnessService(witness)
    await app.register(async (child) => service.routes(child), { prefix: service.prefix })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    let there = false
    const through = postTextThrough({})
    const post: WitnessPolicy['post'] = async (...request) =>
      there ? through(...request) : Promise.reject(new CountersignError('witness_refused', 'not there'))
    const policy = { witnesses: [{ url: `${url}/witness`, key: witnessKey }], post, whenFewer: 'closed' } as const
    const closed = await witnessed(policy)
    for (let again = 0; again < 20; again++) {
      await expect(closed.add(entryOf('a'))).rejects.toMatchObject({ code: 'log_unavailable' })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const restarted = await witnessed(policy)
    await expect(restarted.add(entryOf('a'))).rejects.toMatchObject({ code: 'log_unavailable' })
    there = true
    const patient = await witnessed(policy)
    const { checkpoint, duplicate } = await patient.add(entryOf('a'))
    expect(duplicate).toBe(true)
    expect(await signedBy(serverPrimitives, parseSignedNote(checkpoint.note), witnessKey)).toBeDefined()
    expect(parseSignedNote(checkpoint.note).signatures).toHaveLength(2)
    await app.close()
  })
})

describe('attack: a witness that answers without end', () => {
  it('is given up at 64 KiB', async () => {
    const app = fastify()
    app.post('/add-checkpoint', async () => 'x'.repeat(64 * 1024 + 1))
    app.post('/enough', async () => 'x'.repeat(64 * 1024))
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const signal = AbortSignal.timeout(5_000)
    expect((await postTextThrough({})(`${url}/enough`, '', signal)).body).toHaveLength(64 * 1024)
    await expect(postTextThrough({})(`${url}/add-checkpoint`, '', signal)).rejects.toMatchObject({ code: 'witness_refused' })
    await app.close()
  })
})

describe('verifier keys', () => {
  it('read back as they were written, and refuse another hash', async () => {
    const text = formatVerifierKey(witnessKey)
    expect(await parseVerifierKey(serverPrimitives, text)).toEqual(witnessKey)
    await expect(parseVerifierKey(serverPrimitives, text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).rejects.toMatchObject({
      code: 'key_malformed',
    })
    await expect(parseVerifierKey(serverPrimitives, 'x')).rejects.toMatchObject({ code: 'key_malformed' })
  })
})
