/** Keys, certificates and requests of Rekor v1 for tests. */
import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto'
import type { SyncHash } from '../../src/merkle/tree.ts'

export const primitives: SyncHash = { hash: (algorithm, data) => new Uint8Array(hash(algorithm, data, 'buffer')) }

export const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes as string).toString('base64')
export const sha256 = (bytes: Uint8Array | string): string => hash('sha256', bytes, 'hex')

/** A P-256 key: its PEM, and what signs with SHA-256. */
export type TestKey = { readonly pem: string; readonly publicKey: KeyObject; readonly sign: (message: Uint8Array | string) => Buffer }

export function newKey(): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
  return { pem, publicKey, sign: (message) => sign('sha256', Buffer.from(message as string), privateKey) }
}

/** DSSE, "Pre-Authentication Encoding", written once more. */
export function encoded(payloadType: string, payload: string): string {
  return `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${Buffer.byteLength(payload)} ${payload}`
}

/** Reads a body back. */
export function bodyOf(entry: { readonly body: Uint8Array }): unknown {
  return JSON.parse(Buffer.from(entry.body).toString())
}

/** The bytes of a request. */
export function request(kind: string, apiVersion: string, spec: object): Uint8Array {
  return new Uint8Array(Buffer.from(JSON.stringify({ kind, apiVersion, spec })))
}
