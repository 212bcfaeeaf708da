/** `countersign attach signature` and `countersign attach attestation`. */
import { base64ToBytes, bytesToBase64 } from '@countersign/core/base64'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { type JsonObject, type JsonValue, maxDocumentBytes, parseJson, parseJsonAs } from '@countersign/core/json/parse'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { makeBundle } from '@countersign/sdk/blob/make-bundle'
import { type Attached, attachBundle, attachEnvelope, attachPayload, type PayloadParts } from '@countersign/sdk/transport/attach'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { readInput } from '../terminal/input.ts'
import { attachTo } from './attach-target.ts'

const maxPartBytes = 1024 * 1024

/** Attaches one signature. */
export async function attachSignature(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const path = flags.text('payload') ?? flags.text('bundle')
  if (path === undefined) throw new CountersignError('usage', 'give --bundle, or --payload and --signature', { hint: 'See --help.' })
  const content = await readInput(path, maxDocumentBytes)
  if (isSigstoreBundle(content)) return attachTo(invocation, async (target) => [await attachBundle(target, content, 'signature')])
  const signature = flags.required('signature', 'Without the signature a payload proves nothing.')
  const parts: PayloadParts = {
    signature: await readSignature(signature),
    ...(await part('certificate', invocation, (bytes) => fromUtf8(bytes))),
    ...(await part('certificate-chain', invocation, (bytes) => fromUtf8(bytes), 'chain')),
    ...(await part('rekor-response', invocation, rekorBundle, 'rekorBundle')),
    ...(await part('tsr', invocation, timestamp, 'timestamp')),
  }
  return attachTo(invocation, async (target) => [await attachPayload(target, content, parts)])
}

/** Attaches all attestations of all files. */
export async function attachAttestation(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const files = flags.list('attestation')
  const layout = flags.text('layout') ?? 'legacy'
  if (files.length === 0)
    throw new CountersignError('usage', '--attestation is missing', { hint: 'Name the file with the envelope or bundle.' })
  if (!['bundle', 'legacy', 'both'].includes(layout)) {
    throw new CountersignError('usage', '--layout names no layout', { expected: 'bundle, legacy, both', found: layout.slice(0, 40) })
  }
  const keyFile = flags.text('key')
  const key = keyFile === undefined ? undefined : parsePublicKeyPem(fromUtf8(await readInput(keyFile, maxPartBytes)))
  const documents = (await Promise.all(files.map(async (path) => documentsIn(await readInput(path, maxDocumentBytes), path)))).flat()
  return attachTo(invocation, async (target) => {
    const attached: Attached[] = []
    for (const bytes of documents) {
      if (isSigstoreBundle(bytes)) {
        attached.push(await attachBundle(target, bytes, 'attestation'))
        continue
      }
      if (layout !== 'legacy') {
        const { bundle } = await makeBundle({ evidence: bytes, nowMs: terminal.nowMs, ...(key === undefined ? {} : { key }) })
        attached.push(await attachBundle(target, bundle, 'attestation'))
      }
      if (layout !== 'bundle') attached.push(await attachEnvelope(target, bytes))
    }
    return attached
  })
}

/** One document, or one on each line. cosign attaches nothing of an empty file and says nothing. */
function documentsIn(bytes: Uint8Array, path: string): readonly Uint8Array[] {
  const text = fromUtf8(bytes).trim()
  if (text === '') throw new CountersignError('dsse_malformed', `${path} is empty`, { hint: 'Name a file with an envelope or bundle.' })
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  // A document that spans lines does not end where its first line does.
  return lines.every((line) => /^\s*\{.*\}\s*$/.test(line)) ? lines.map((line) => utf8(line.trim())) : [utf8(text)]
}

function isSigstoreBundle(bytes: Uint8Array): boolean {
  const value = parseJson(bytes, { maxBytes: maxDocumentBytes })
  return typeof value === 'object' && value !== null && 'mediaType' in value && 'verificationMaterial' in value
}

async function readSignature(path: string): Promise<string> {
  const bytes = await readInput(path, maxPartBytes)
  const text = Buffer.from(bytes).toString('latin1').trim()
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 ? text : bytesToBase64(bytes)
}

async function part<Name extends string>(
  flag: string,
  { flags }: Invocation,
  read: (bytes: Uint8Array) => string,
  name: Name = flag as Name,
): Promise<{ readonly [key in Name]?: string }> {
  const path = flags.text(flag)
  return path === undefined ? {} : ({ [name]: read(await readInput(path, maxPartBytes)) } as { readonly [key in Name]: string })
}

/** cosign's `RekorBundle` as it is, or made of an answer of Rekor v1 (`{UUID: {body, integratedTime, …}}`). */
function rekorBundle(bytes: Uint8Array): string {
  const { value } = parseJsonAs('bundle_malformed', 'the answer of the log', bytes)
  const document = objectOf(value)
  if ('SignedEntryTimestamp' in document) return JSON.stringify(document)
  const [entry] = Object.values(document).map(objectOf)
  const verification = objectOf(entry?.['verification'])
  if (entry === undefined || typeof verification['signedEntryTimestamp'] !== 'string') {
    throw new CountersignError('bundle_malformed', 'the answer of the log has no signed entry timestamp', {
      hint: 'Give what Rekor answered when the entry was made.',
    })
  }
  const { body, integratedTime, logIndex, logID } = entry as Record<string, JsonValue>
  return JSON.stringify({
    SignedEntryTimestamp: verification['signedEntryTimestamp'],
    Payload: { body: body ?? null, integratedTime: integratedTime ?? null, logIndex: logIndex ?? null, logID: logID ?? null },
  })
}

function timestamp(bytes: Uint8Array): string {
  if (bytes[0] !== 0x7b) return JSON.stringify({ SignedRFC3161Timestamp: bytesToBase64(bytes) })
  const encoded = objectOf(parseJsonAs('timestamp_malformed', 'the timestamp', bytes).value)['SignedRFC3161Timestamp']
  if (typeof encoded !== 'string') throw new CountersignError('timestamp_malformed', 'the file holds no SignedRFC3161Timestamp')
  return JSON.stringify({ SignedRFC3161Timestamp: bytesToBase64(base64ToBytes(encoded)) })
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
}
