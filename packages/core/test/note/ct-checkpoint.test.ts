import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { describe, expect, it } from 'vitest'
import { base64ToBytes } from '../../src/base64.ts'
import { bytesToHex } from '../../src/bytes.ts'
import type { CountersignError } from '../../src/failure.ts'
import { defaultAlgorithm } from '../../src/keys/algorithm.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import { signCtCheckpoint, verifyCtCheckpoint, type CtLogKey } from '../../src/note/ct-checkpoint.ts'

function newLog(type: 'P-256' | 'P-384' = 'P-256'): CtLogKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: type })
  const key = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
  const algorithm = defaultAlgorithm(key)
  return { publicKey: key, algorithm, sign: (message) => new Uint8Array(sign(algorithm.hash, message, privateKey)) }
}

describe('the checkpoint of a static certificate transparency log', () => {
  const log = newLog()
  const origin = 'ct.example.com/2026'
  const head = { origin, size: 70_000, rootHash: new Uint8Array(32).fill(7), timestampMs: 1_700_000_000_123 }
  const verify = (note: string, by = log): Promise<unknown> => verifyCtCheckpoint(nodePrimitives, note, { origin, ...by })
  const code = (error: unknown): string => (error as CountersignError).code

  it('is three lines and one signature line, whose key hash binds origin, type 05 and log identifier', async () => {
    const note = await signCtCheckpoint(nodePrimitives, head, log)
    const [first, size, root, empty, line] = note.split('\n')
    expect([first, size, root, empty]).toEqual([origin, '70000', Buffer.alloc(32, 7).toString('base64'), ''])
    const body = base64ToBytes(line?.split(' ')[2] ?? '')
    const logId = createHash('sha256').update(log.publicKey.spki).digest()
    const hash = createHash('sha256').update(`${origin}\n\u0005`).update(logId).digest()
    expect(bytesToHex(body.subarray(0, 4))).toBe(hash.subarray(0, 4).toString('hex'))
    expect(bytesToHex(body.subarray(4, 14))).toBe('0000018bcfe5687b0403')
    expect(await verify(note)).toMatchObject({ size: 70_000, timestampMs: 1_700_000_000_123 })
  })

  it('does not hold for another key, size, origin or time', async () => {
    const note = await signCtCheckpoint(nodePrimitives, head, log)
    const larger = note.replace('\n70000\n', '\n70001\n')
    await expect(verify(larger).catch(code)).resolves.toBe('checkpoint_invalid')
    await expect(verify(note, newLog()).catch(code)).resolves.toBe('checkpoint_invalid')
    const foreign = await signCtCheckpoint(nodePrimitives, { ...head, origin: 'other.example' }, log)
    await expect(verify(foreign).catch(code)).resolves.toBe('checkpoint_invalid')
    const line = note.slice(note.lastIndexOf(' ') + 1, -1)
    const later = base64ToBytes(line)
    later[11] = (later[11] as number) ^ 1
    await expect(verify(note.replace(line, Buffer.from(later).toString('base64'))).catch(code)).resolves.toBe('checkpoint_invalid')
  })

  it('has no extension lines', async () => {
    const note = await signCtCheckpoint(nodePrimitives, head, log)
    await expect(verify(note.replace('\n\n', '\nmore\n\n')).catch(code)).resolves.toBe('checkpoint_invalid')
  })

  it('is signed with P-256 alone', async () => {
    await expect(signCtCheckpoint(nodePrimitives, head, newLog('P-384')).catch(code)).resolves.toBe('algorithm_unsupported')
  })
})
