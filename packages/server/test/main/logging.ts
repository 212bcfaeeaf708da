import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { Serving } from '@countersign/server/main/serve'

/** SHA-256 of a text, hexadecimal. */
export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A P-256 key: its PEM and DER, and what signs with it. */
export type TestKey = { readonly pem: string; readonly der: Buffer; readonly sign: (text: string) => string }

export function newKey(): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    pem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    der: publicKey.export({ type: 'spki', format: 'der' }),
    sign: (text) => sign('sha256', Buffer.from(text), privateKey).toString('base64'),
  }
}

/** Logs a signature over a text, with Rekor v1 or v2; the status, and for v2 the checkpoint in the answer. */
export async function logged(
  serving: Serving,
  key: TestKey,
  text: string,
  version: 1 | 2 = 2,
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): Promise<{ readonly status: number; readonly checkpoint: string }> {
  const [path, body] =
    version === 1 ? ['/rekor/api/v1/log/entries', requestV1(key, text)] : ['/rekor2/api/v2/log/entries', requestV2(key, text)]
  const reply = await fetch(`${serving.publicUrl}${path}`, { method: 'POST', body: JSON.stringify(body), headers })
  const answer = (await reply.json()) as { readonly inclusionProof?: { readonly checkpoint: { readonly envelope: string } } }
  return { status: reply.status, checkpoint: answer.inclusionProof?.checkpoint.envelope ?? '' }
}

function requestV1(key: TestKey, text: string): object {
  const data = { hash: { algorithm: 'sha256', value: digestOf(text) } }
  const signature = { content: key.sign(text), publicKey: { content: Buffer.from(key.pem).toString('base64') } }
  return { kind: 'hashedrekord', apiVersion: '0.0.1', spec: { data, signature } }
}

function requestV2(key: TestKey, text: string): object {
  const verifier = { publicKey: { rawBytes: key.der.toString('base64') }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }
  const digest = Buffer.from(digestOf(text), 'hex').toString('base64')
  return { hashedRekordRequestV002: { digest, signature: { content: key.sign(text), verifier } } }
}
