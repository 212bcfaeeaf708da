import { generateKeyPairSync, sign } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { hashBytes } from '../../src/base/crypto/primitives.ts'
import { digestVerifier, type DigestVerifier } from '../../src/log/verify/verifier.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
const algorithm = defaultAlgorithm(key)
const message = Buffer.from('message')
const digest = hashBytes('sha256', message)
const signature = new Uint8Array(sign('sha256', message, privateKey))

const opened: DigestVerifier[] = []
afterEach(async () => {
  for (const verifier of opened.splice(0)) await verifier.close()
})
function open(options: Parameters<typeof digestVerifier>[0]): DigestVerifier {
  const verifier = digestVerifier(options)
  opened.push(verifier)
  return verifier
}

describe('the threads that verify', () => {
  it('give each of many its own answer', async () => {
    const verifier = open({ threads: 2 })
    const other = hashBytes('sha256', Buffer.from('another'))
    const answers = await Promise.all(
      Array.from({ length: 150 }, (_, i) => verifier.verify(algorithm, key, i % 3 === 0 ? other : digest, signature)),
    )
    expect(answers).toEqual(Array.from({ length: 150 }, (_, i) => i % 3 !== 0))
  })

  it('refuse the signature that is one too many', async () => {
    const verifier = open({ threads: 1, maxWaiting: 4 })
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => verifier.verify(algorithm, key, digest, signature)))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
    expect(results[5]).toMatchObject({ reason: { code: 'log_overloaded' } })
    expect(await verifier.verify(algorithm, key, digest, signature)).toBe(true)
  })

  it('are replaced when they end, however often in the life of a server, as long as they answer in between', async () => {
    const mortal = `import { parentPort } from 'node:worker_threads'
      let messages = 0
      parentPort.on('message', (jobs) => {
        if (messages++ > 0) process.exit(1)
        parentPort.postMessage(jobs.map(({ id }) => ({ id, holds: true })))
      })`
    const verifier = open({ threads: 1, program: new URL(`data:text/javascript,${encodeURIComponent(mortal)}`) })
    const ask = async (): Promise<boolean> => verifier.verify(algorithm, key, digest, signature).catch(() => false)
    const answers: boolean[] = []
    for (let i = 0; i < 40; i++) answers.push(await ask())
    expect(answers).toEqual(Array.from({ length: 40 }, (_, i) => i % 2 === 0))
  })

  it('end with what waits rejected, and when they cannot start', async () => {
    const verifier = open({ threads: 1 })
    const late = verifier.verify(algorithm, key, digest, signature)
    await Promise.all([verifier.close(), expect(late).rejects.toMatchObject({ code: 'log_unavailable' })])
    await expect(verifier.verify(algorithm, key, digest, signature)).rejects.toMatchObject({ code: 'log_unavailable' })
    const broken = open({ threads: 1, program: new URL('file:///absent/worker.js') })
    await expect(broken.verify(algorithm, key, digest, signature)).rejects.toMatchObject({ code: 'log_unavailable' })
  })
})
