import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { hash } from 'node:crypto'
import path from 'node:path'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { parseBundle } from '../../src/bundle/parse.ts'
import type { Bundle } from '../../src/bundle/model.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import { hashedrekordBody } from '../../src/rekor/body.ts'
import { parseCreateEntryRequest } from '../../src/rekor/request.ts'

const primitives = { hash: (algorithm: string, data: Uint8Array): Uint8Array => new Uint8Array(hash(algorithm, data, 'buffer')) }
const vectors = vectorsFolder()
const folder = vectors === undefined ? undefined : path.join(vectors, 'sigstore-conformance/bundle-verify')
/** Bundles whose entry is of this signature, also when something else in them is wrong. */
const names =
  folder === undefined
    ? []
    : readdirSync(folder).filter(
        (name) => name.startsWith('rekor2-') && !/mismatch|invalid-sig|no-inclusion-proof|incorrect-time/.test(name),
      )

/** What the client of this bundle sent to the log. */
function requestOf(bundle: Bundle, dsse: boolean): object {
  if (bundle.material.kind !== 'certificate') throw new TypeError('no certificate')
  const verifier = {
    x509Certificate: { rawBytes: bytesToBase64(bundle.material.chain[0]) },
    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
  }
  if (bundle.content.kind === 'dsse') {
    const { payload, payloadType, signatures } = bundle.content.envelope
    const signature = signatures[0]?.sig as Uint8Array
    const envelope = { payload: bytesToBase64(payload), payloadType, signatures: [{ sig: bytesToBase64(signature), keyid: '' }] }
    if (dsse) return { dsseRequestV002: { envelope, verifiers: [verifier] } }
    const digest = bytesToBase64(primitives.hash('sha256', preAuthEncoding(payloadType, payload)))
    return { hashedRekordRequestV002: { digest, signature: { content: bytesToBase64(signature), verifier } } }
  }
  if (bundle.content.kind !== 'message' || bundle.content.claimedDigest === undefined) throw new TypeError('no digest')
  const digest = Buffer.from(bundle.content.claimedDigest.slice(7), 'hex').toString('base64')
  return { hashedRekordRequestV002: { digest, signature: { content: bytesToBase64(bundle.content.signature), verifier } } }
}

describe.skipIf(folder === undefined)('the canonical body', () => {
  it.each(names)('is, byte for byte, that of the bundle %s of Rekor v2', (name) => {
    const file = path.join(folder as string, name, 'bundle.sigstore.json')
    if (!existsSync(file)) return
    const bundle = parseBundle(readFileSync(file))
    for (const asEnvelope of [false, true]) {
      const request = Buffer.from(JSON.stringify(requestOf(bundle, asEnvelope)))
      const body = hashedrekordBody(parseCreateEntryRequest(primitives, request))
      expect(Buffer.from(body).toString()).toBe(Buffer.from(bundle.logEntries[0]?.canonicalizedBody as Uint8Array).toString())
    }
  })
})
