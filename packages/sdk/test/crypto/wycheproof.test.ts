/**
 * Project Wycheproof's vectors through our own entry point: `parsePublicKey` and the primitives, on each implementation of them.
 *
 * "acceptable" is decided here: RSA PKCS#1 v1.5 whose DigestInfo leaves out the NULL parameters is refused. RFC 8017 appendix A.2.4 says that
 * encoders write the NULL, and a second encoding of a signature serves nobody.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hexToBytes } from '@countersign/core/bytes'
import { algorithmFor, defaultAlgorithm, type SignatureAlgorithm, withP1363 } from '@countersign/core/keys/algorithm'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import type { Primitives } from '@countersign/core/primitives'
import { webPrimitives } from '@countersign/core/web-primitives'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../src/crypto/node-primitives.ts'

type Vector = { tcId: number; comment: string; msg: string; sig: string; result: 'valid' | 'invalid' | 'acceptable' }
type Group = { publicKeyDer: string; tests: Vector[] }

const files: readonly { name: string; tests: number; valid: number; p1363?: true }[] = [
  { name: 'ecdsa_secp256r1_sha256_test.json', tests: 484, valid: 174 },
  { name: 'ecdsa_secp256r1_sha256_p1363_test.json', tests: 262, valid: 173, p1363: true },
  { name: 'ecdsa_secp384r1_sha384_test.json', tests: 504, valid: 194 },
  { name: 'ed25519_test.json', tests: 151, valid: 88 },
  { name: 'rsa_signature_2048_sha256_test.json', tests: 259, valid: 9 },
]
const implementations: readonly { name: string; primitives: Primitives }[] = [
  { name: 'node', primitives: nodePrimitives },
  { name: 'web', primitives: webPrimitives(globalThis.crypto.subtle) },
]
const folder = vectorsFolder()

type Verdict = (algorithm: SignatureAlgorithm, key: PublicKey, message: Uint8Array, signature: Uint8Array) => Promise<boolean>

/** Runs each vector; gives how many were accepted, and those with the wrong answer. */
async function run(file: (typeof files)[number], verdict: Verdict): Promise<{ tests: number; accepted: number; wrong: string[] }> {
  const { testGroups } = JSON.parse(readFileSync(join(folder as string, 'wycheproof', file.name), 'utf8')) as { testGroups: Group[] }
  const outcome = { tests: 0, accepted: 0, wrong: [] as string[] }
  for (const group of testGroups) {
    const key = parsePublicKey(hexToBytes(group.publicKeyDer))
    const algorithm = file.p1363 === true ? withP1363(defaultAlgorithm(key)) : defaultAlgorithm(key)
    for (const vector of group.tests) {
      const accepted = await verdict(algorithm, key, hexToBytes(vector.msg), hexToBytes(vector.sig))
      outcome.tests++
      if (accepted) outcome.accepted++
      if (accepted !== (vector.result === 'valid')) outcome.wrong.push(`${vector.tcId} ${vector.comment}`)
    }
  }
  return outcome
}

describe.skipIf(folder === undefined)('Wycheproof', () => {
  for (const { name, primitives } of implementations) {
    for (const file of files) {
      const expected = { tests: file.tests, accepted: file.valid, wrong: [] }
      it(`${name} answers every vector of ${file.name} as it must, over messages`, async () => {
        expect(await run(file, async (...args) => primitives.verify(...args))).toEqual(expected)
      })
      if (file.name.startsWith('ed25519')) continue
      it(`${name} answers every vector of ${file.name} as it must, over digests`, { timeout: 60_000 }, async () => {
        const overDigest: Verdict = async (algorithm, key, message, signature) =>
          primitives.verifyDigest(algorithm, key, createHash(algorithm.hash).update(message).digest(), signature)
        expect(await run(file, overDigest)).toEqual(expected)
      })
    }
    it(`${name} never takes a pure Ed25519 signature for one over a digest`, async () => {
      const file = files[3] as (typeof files)[number]
      const asPrehashed: Verdict = async (_, key, message, signature) =>
        primitives.verifyDigest(algorithmFor(key, 'sha512'), key, createHash('sha512').update(message).digest(), signature)
      expect((await run(file, asPrehashed)).accepted).toBe(0)
      const pure: Verdict = async (algorithm, key, message, signature) =>
        primitives.verifyDigest(algorithm, key, createHash('sha512').update(message).digest(), signature)
      expect((await run(file, pure)).accepted).toBe(0)
    })
  }
})
