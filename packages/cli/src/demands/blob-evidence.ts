/** What came beside a file: `--bundle`, or `--signature` with what it lacks, or the bundle beside the file. */
import { CountersignError } from '@countersign/core/failure'
import { maxDocumentBytes } from '@countersign/core/json/parse'
import { decodePem } from '@countersign/core/pem'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import type { Invocation } from '../command/invocation.ts'
import { fileExists, readInput } from '../terminal/input.ts'

/** The evidence of one file, unverified. */
export type BlobEvidence = {
  /** What the signature is called in messages: the file, where it is one. */
  readonly name: string
  readonly parts: {
    readonly evidence: Uint8Array
    readonly certificates?: readonly Uint8Array[]
    readonly timestamps?: readonly Uint8Array[]
  }
}

const maxBytes = maxDocumentBytes
const maxPartBytes = 1_048_576

/** Reads it. Throws `no_signature` when the file has none beside it. */
export async function readBlobEvidence(
  invocation: Invocation,
  file: string | undefined,
  bundle: string | undefined,
): Promise<BlobEvidence> {
  const { flags } = invocation
  const signature = flags.text('signature')
  if (bundle !== undefined && signature !== undefined) {
    throw new CountersignError('usage', '--bundle and --signature contradict each other', { hint: 'Give one of them.' })
  }
  const path = bundle ?? (signature === undefined ? await besideFile(file) : undefined)
  const evidence = path === undefined ? await readSignature(invocation, signature ?? '') : await readInput(path, maxBytes)
  const certificate = flags.text('certificate')
  const timestamp = flags.text('rfc3161-timestamp')
  return {
    name: path ?? '--signature',
    parts: {
      evidence,
      ...(certificate === undefined ? {} : { certificates: await readCertificates(certificate) }),
      ...(timestamp === undefined ? {} : { timestamps: [await readTimestamp(timestamp)] }),
    },
  }
}

/** `FILE.sigstore.json`, where `sign-blob` puts it. */
async function besideFile(file: string | undefined): Promise<string> {
  const hint = 'Name the bundle with --bundle, or the detached signature with --signature.'
  if (file === undefined || file === '-') throw new CountersignError('usage', 'it is not said where the signature is', { hint })
  const path = `${file}.sigstore.json`
  if (await fileExists(path)) return path
  throw new CountersignError('no_signature', `${file} has no signature beside it`, { expected: path, hint })
}

/** cosign takes a path, a URL, or the signature itself in base64. */
async function readSignature({ terminal }: Invocation, text: string): Promise<Uint8Array> {
  if (text.startsWith('https://')) return nodeKeyIo(terminal.environment).download(new URL(text), maxPartBytes)
  if (!(await fileExists(text)) && text.length >= 64 && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) return Buffer.from(text)
  return readInput(text, maxPartBytes)
}

/** The certificates of a PEM file, leaf first; cosign also writes the PEM in base64. */
async function readCertificates(path: string): Promise<readonly Uint8Array[]> {
  const bytes = await readInput(path, maxPartBytes)
  const text = Buffer.from(bytes).toString('latin1')
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text.trim(), 'base64').toString('latin1')
  return decodePem(pem, 'CERTIFICATE').map((block) => block.bytes)
}

/** A TimeStampResp, DER; or cosign's file `{"SignedRFC3161Timestamp":"…"}` around its base64. */
async function readTimestamp(path: string): Promise<Uint8Array> {
  const bytes = await readInput(path, maxPartBytes)
  if (bytes[0] !== 0x7b) return bytes
  const { parseJsonAs } = await import('@countersign/core/json/parse')
  const { base64Bytes, documentPlace, openMembers } = await import('@countersign/core/json/shape')
  return base64Bytes(
    openMembers(documentPlace(parseJsonAs('timestamp_malformed', 'the timestamp', bytes).value, 'timestamp_malformed'))(
      'SignedRFC3161Timestamp',
    ),
  )
}
