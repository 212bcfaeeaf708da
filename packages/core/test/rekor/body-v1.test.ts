import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { describe, expect, it } from 'vitest'
import type { Bundle } from '../../src/bundle/model.ts'
import { parseBundle } from '../../src/bundle/parse.ts'
import { encodePem } from '../../src/pem.ts'
import { parseProposedEntryV1 } from '../../src/rekor/proposal-v1.ts'
import { base64, primitives, request } from './entries.ts'

const vectors = vectorsFolder()
const folder = vectors === undefined ? undefined : path.join(vectors, 'sigstore-conformance/bundle-verify')

type KeptBody = {
  readonly kind: string
  readonly apiVersion: string
  readonly spec: {
    readonly signature?: { readonly publicKey: { readonly content: string } }
    readonly content?: { readonly hash: object; readonly envelope: { readonly payload?: string } }
  }
}

/** Those of whom the content, or the entry, is another's: what was sent cannot be told from them. */
const others =
  /mismatch|invalid-sig|wrong-|dsse-invalid|log-entry|set-invalid|invalid-base64|from-wrong-instance|unknown-version|negative|empty-certificate|root-cert|incorrect-public-key|rekor2/

const bundles: readonly (readonly [string, Bundle, KeptBody])[] =
  folder === undefined
    ? []
    : readdirSync(folder).flatMap((name): readonly (readonly [string, Bundle, KeptBody])[] => {
        const file = path.join(folder, name, 'bundle.sigstore.json')
        if (others.test(name) || !existsSync(file)) return []
        const bundle = readBundle(file)
        const kept = bundle?.logEntries[0]?.canonicalizedBody
        if (bundle === undefined || kept === undefined) return []
        const body = JSON.parse(Buffer.from(kept).toString()) as KeptBody
        return body.apiVersion === '0.0.1' || body.kind === 'intoto' ? [[name, bundle, body]] : []
      })

function readBundle(file: string): Bundle | undefined {
  try {
    return parseBundle(readFileSync(file))
  } catch {
    return undefined
  }
}

/** The PEM of the signer as a client might write it, or for a key that the bundle only hints at, as it is in the entry. */
function pemOf({ material }: Bundle, { spec }: KeptBody): string {
  if (material.kind === 'certificate') return encodePem('CERTIFICATE', material.chain[0])
  return Buffer.from(spec.signature?.publicKey.content ?? '', 'base64').toString()
}

/** What the client of a bundle sent to the log. */
function requestOf(bundle: Bundle, kept: KeptBody, pem: string): Uint8Array {
  const { kind, apiVersion } = kept
  if (bundle.content.kind === 'message') {
    const { signature, claimedDigest } = bundle.content
    const data = { hash: { algorithm: 'sha256', value: claimedDigest?.slice('sha256:'.length) } }
    return request(kind, apiVersion, { data, signature: { content: base64(signature), publicKey: { content: base64(pem) } } })
  }
  if (bundle.content.kind !== 'dsse') throw new TypeError(bundle.content.kind)
  const { payload, payloadType, signatures } = bundle.content.envelope
  const sig = base64(signatures[0]?.sig as Uint8Array)
  if (kind === 'dsse') {
    const envelope = JSON.stringify({ payload: base64(payload), payloadType, signatures: [{ sig }] })
    return request(kind, apiVersion, { proposedContent: { envelope, verifiers: [base64(pem)] } })
  }
  const envelope = { payloadType, payload: base64(base64(payload)), signatures: [{ sig: base64(sig), publicKey: base64(pem) }] }
  return request(kind, apiVersion, { content: { envelope, hash: kept.spec.content?.hash } })
}

/**
 * A log keeps no payload of an `intoto` entry (sigstore/rekor, pkg/types/intoto/v0.0.2, `Canonicalize`); what made these bundles did, and wrote
 * PEM in one line, which is another spelling of the signer.
 */
function keptBytes(bundle: Bundle, kept: KeptBody): string {
  const text = Buffer.from(bundle.logEntries[0]?.canonicalizedBody as Uint8Array).toString()
  if (kept.kind !== 'intoto') return text
  return text.replace(/"payload":"[A-Za-z0-9+/=]*",/, '').replace(/("publicKey":")[A-Za-z0-9+/=]*/, `$1${base64(pemOf(bundle, kept))}`)
}

describe.skipIf(folder === undefined)('the body that a Rekor v1 log keeps', () => {
  it('is known of every kind that stock clients send', () => {
    expect(new Set(bundles.map(([, , { kind, apiVersion }]) => `${kind} ${apiVersion}`))).toEqual(
      new Set(['hashedrekord 0.0.1', 'dsse 0.0.1', 'intoto 0.0.2']),
    )
    expect(bundles.length).toBeGreaterThan(12)
  })

  it.each(bundles)('is, byte for byte, that of the bundle %s, whatever spelling of its signer was sent', (_, bundle, kept) => {
    const pem = pemOf(bundle, kept)
    for (const spelt of [pem, pem.trim(), pem.replaceAll('\n', '\r\n'), respelt(pem)]) {
      const { kind, body } = parseProposedEntryV1(primitives, requestOf(bundle, kept, spelt))
      expect(kind).toBe(kept.kind)
      expect(Buffer.from(body).toString()).toBe(keptBytes(bundle, kept))
    }
  })
})

/** In lines of 76 characters, as MIME has them. */
function respelt(pem: string): string {
  const [begin = '', ...rest] = pem.trim().split('\n')
  const lines =
    rest
      .slice(0, -1)
      .join('')
      .match(/.{1,76}/g) ?? []
  return [begin, ...lines, rest.at(-1)].join('\n')
}
