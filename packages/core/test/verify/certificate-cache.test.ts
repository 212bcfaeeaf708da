import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { derUtf8String } from '../../src/der/writer.ts'
import { algorithmByName, algorithmFor } from '../../src/keys/algorithm.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import type { Primitives } from '../../src/primitives.ts'
import { createCertificateCache } from '../../src/verify/certificate-cache.ts'
import { createExactMemory } from '../../src/verify/exact-memory.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { fulcioIdentity } from '../../src/x509/fulcio.ts'
import { extension, extensions, issue, newAuthority, newKey } from '../x509/issue.ts'
import { newTestKey, signWith } from './forge.ts'

const key = newTestKey()
const message = new TextEncoder().encode('a certificate')
const signature = signWith(key, message)
const algorithm = algorithmFor(key.publicKey, 'sha256')

/** Counts how often a signature is computed. */
function counting(primitives: Primitives = nodePrimitives): { readonly primitives: Primitives; readonly asked: () => number } {
  let asked = 0
  const verify: Primitives['verify'] = (...input) => {
    asked++
    return primitives.verify(...input)
  }
  return { primitives: { ...primitives, verify }, asked: () => asked }
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[at] = (copy[at] as number) ^ 1
  return copy
}

describe('a cache of certificates', () => {
  it.each([
    ['OpenSSL', nodePrimitives],
    ['WebCrypto', webPrimitives(crypto.subtle)],
  ])('computes a right signature once, and a wrong one each time (%s)', async (_name, primitives) => {
    const { primitives: counted, asked } = counting(primitives)
    const cache = createCertificateCache()
    const { verify } = cache.over(counted).primitives
    for (const _time of [1, 2, 3]) expect(await verify(algorithm, key.publicKey, message, signature)).toBe(true)
    expect(asked()).toBe(1)
    for (const _time of [1, 2, 3]) expect(await verify(algorithm, key.publicKey, flipped(message, 0), signature)).toBe(false)
    expect(asked()).toBe(4)
    expect(cache.counts()).toEqual({ kept: 1, recalled: 2 })
  })

  it('attack: one byte of message, signature or key that differs, or another algorithm, is another question', async () => {
    const { primitives, asked } = counting()
    const { verify } = createCertificateCache().over(primitives).primitives
    await verify(algorithm, key.publicKey, message, signature)
    const answers: boolean[] = []
    for (let at = 0; at < message.length; at++) answers.push(await verify(algorithm, key.publicKey, flipped(message, at), signature))
    for (let at = 0; at < signature.length; at++) answers.push(await verify(algorithm, key.publicKey, message, flipped(signature, at)))
    answers.push(await verify(algorithm, newTestKey().publicKey, message, signature))
    answers.push(await verify(algorithmFor(key.publicKey, 'sha384'), key.publicKey, message, signature))
    answers.push(await verify({ ...algorithm, encoding: 'p1363' }, key.publicKey, message, signature))
    const other = algorithmByName('PKIX_ED25519')
    if (other !== undefined) answers.push(await verify(other, key.publicKey, message, signature))
    expect(answers).not.toContain(true)
    expect(asked()).toBe(1 + answers.length)
  })

  it('attack: bytes that move from one part to the next are another question', async () => {
    const right: Primitives = { ...nodePrimitives, verify: () => true }
    const { primitives, asked } = counting(right)
    const { verify } = createCertificateCache().over(primitives).primitives
    await verify(algorithm, key.publicKey, Uint8Array.of(1, 2), Uint8Array.of(3))
    await verify(algorithm, key.publicKey, Uint8Array.of(1), Uint8Array.of(2, 3))
    await verify(algorithm, key.publicKey, Uint8Array.of(1, 2, 3), Uint8Array.of())
    expect(asked()).toBe(3)
  })

  it('attack: who writes other bytes into what was verified changes nothing that is remembered', async () => {
    const { primitives, asked } = counting()
    const { verify } = createCertificateCache().over(primitives).primitives
    const [text, signed] = [new Uint8Array(message), new Uint8Array(signature)]
    await verify(algorithm, key.publicKey, text, signed)
    text.fill(0)
    expect(await verify(algorithm, key.publicKey, text, signed)).toBe(false)
    expect(await verify(algorithm, key.publicKey, message, signature)).toBe(true)
    expect(asked()).toBe(2)
  })

  it('attack: a certificate or key that is overwritten after it was read is read as it was', () => {
    const authority = newAuthority()
    const der = issue({ issuer: authority.issuer, subject: authority.issuer.name, key: newKey(), extensions: [extensions.codeSigning()] })
    const { reader } = createCertificateCache().over(nodePrimitives)
    const given = new Uint8Array(der)
    const first = reader.certificate(given)
    given.fill(0)
    expect(reader.certificate(der)).toBe(first)
    expect(first.raw).toEqual(der)
    expect(() => reader.certificate(given)).toThrow(expect.objectContaining({ code: 'certificate_malformed' }))
    const spki = new Uint8Array(key.publicKey.spki)
    const known = reader.publicKey(spki)
    spki.fill(0)
    expect(known).toEqual(parsePublicKey(key.publicKey.spki))
    expect(reader.publicKey(key.publicKey.spki)).toBe(known)
  })

  it('reads the parts of a certificate once, and gives out none that can be written to', () => {
    const authority = newAuthority()
    const issuer = extension('1.3.6.1.4.1.57264.1.8', false, derUtf8String('https://issuer.example'))
    const der = issue({ issuer: authority.issuer, key: newKey(), extensions: [extensions.email('ada@example.com'), issuer] })
    const { certificate, parts } = createCertificateCache().over(nodePrimitives).reader
    const read = certificate(der)
    expect(parts?.identity(read)).toEqual(fulcioIdentity(parseCertificate(der)))
    expect(parts?.identity(read)).toBe(parts?.identity(certificate(der)))
    expect(Object.isFrozen(parts?.identity(read)) && Object.isFrozen(parts?.identity(read).extensions)).toBe(true)
    expect(parts?.scts(read)).toBe(parts?.scts(certificate(der)))
    expect(parts?.precertificate(read)).toBe(parts?.precertificate(certificate(der)))
  })

  it('attack: what one implementation of primitives calls right is not right for another', async () => {
    const gullible: Primitives = { ...nodePrimitives, verify: () => true }
    const cache = createCertificateCache()
    const wrong = flipped(message, 0)
    expect(await cache.over(gullible).primitives.verify(algorithm, key.publicKey, wrong, signature)).toBe(true)
    expect(await cache.over(nodePrimitives).primitives.verify(algorithm, key.publicKey, wrong, signature)).toBe(false)
  })

  it('is bounded in entries, and keeps no message that is long', async () => {
    const { primitives, asked } = counting({ ...nodePrimitives, verify: () => true })
    const cache = createCertificateCache({ maxEntries: 10, maxMessageBytes: 1_000 })
    const { verify } = cache.over(primitives).primitives
    for (let index = 0; index < 100; index++) await verify(algorithm, key.publicKey, Uint8Array.of(index), signature)
    expect(cache.counts().kept).toBeLessThanOrEqual(10)
    const before = asked()
    await verify(algorithm, key.publicKey, Uint8Array.of(99), signature)
    expect(asked()).toBe(before)
    await verify(algorithm, key.publicKey, new Uint8Array(1_001), signature)
    await verify(algorithm, key.publicKey, new Uint8Array(1_001), signature)
    expect(asked()).toBe(before + 2)
  })
})

describe('a memory by exact bytes', () => {
  it('gives only what was kept under the same text and the same parts', () => {
    const part = fc.uint8Array({ maxLength: 6, max: 2 })
    const question = fc.tuple(fc.constantFrom('a', 'b'), fc.array(part, { maxLength: 3 }))
    fc.assert(
      fc.property(fc.array(question, { maxLength: 30 }), fc.integer({ min: 5, max: 20 }), (questions, maxEntries) => {
        const memory = createExactMemory<string>(maxEntries, 100)
        for (const [text, parts] of questions) {
          const name = JSON.stringify([text, parts.map((bytes) => [...bytes])])
          expect([undefined, name]).toContain(memory.recall(text, parts))
          memory.note(text, parts, () => name)
          expect(memory.recall(text, parts)).toBe(name)
          expect(memory.size()).toBeLessThanOrEqual(maxEntries)
        }
      }),
    )
  })

  it('attack: inputs whose samples are equal make one another forgotten, not the search long', () => {
    const memory = createExactMemory<number>(1_000, 1_000)
    const end = new Uint8Array(8)
    for (let index = 0; index < 1_000; index++) {
      const bytes = new Uint8Array(20)
      bytes.set([index & 0xff, index >> 8])
      bytes.set(end, 12)
      memory.note('', [bytes], () => index)
    }
    expect(memory.size()).toBe(4)
  })
})
