/** Signing and attesting files. */
import { type Digest, digestAlgorithm, digestBytes, digestHex, type HashAlgorithm, parseDigest } from '@countersign/core/digest'
import { concatBytes } from '@countersign/core/bytes'
import { isPreAuthEncoding, preAuthHeadBytes, serializeEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import { buildStatement, parseStatement } from '@countersign/core/statement/statement'
import { bundleOf, signStatement } from '../sign/own-signature.ts'
import { demandAttestation } from '../sign/plan.ts'
import type { BlobSource, SignedBlob, StatementSource } from '../sign/requests.ts'
import type { Signer } from '../sign/signer.ts'
import { hashSource } from './hash.ts'

/**
 * Signs a file of any size: it is read and hashed once, and only the digest goes to the key.
 *
 * `signer` may be a promise, so that the file is read while the key is being decrypted. Gives a Sigstore bundle v0.3 and the detached signature.
 * Throws `file_not_found`, `io_failed`, and whatever the signer throws; `usage` for a file that is what an envelope's signature is over: who
 * signs what others give them would sign their statements too.
 *
 * @example
 * ```ts
 * const { bundle, digest } = await signBlob(fileBlobSource('release.tar.gz'), signer)
 * ```
 */
export async function signBlob(source: BlobSource, signer: Signer | Promise<Signer>): Promise<SignedBlob> {
  const { digest, signer: ready } = await hashWhileSignerLoads(withoutEnvelope(source), signer)
  const signature = await ready.signDigest(digestBytes(digest))
  const bundle = await bundleOf({ kind: 'message', claimedDigest: digest, signature }, ready)
  return { digest, bundle, signature }
}

function withoutEnvelope(source: BlobSource): BlobSource {
  return { ...source, open: () => demandNoEnvelope(source) }
}

async function* demandNoEnvelope(source: BlobSource): AsyncIterable<Uint8Array> {
  let head: Uint8Array = new Uint8Array()
  for await (const chunk of source.open()) {
    if (head.length < preAuthHeadBytes) head = concatBytes(head, chunk.subarray(0, preAuthHeadBytes - head.length))
    if (isPreAuthEncoding(head)) {
      throw new CountersignError('usage', `${source.name} is what the signature of a DSSE envelope is computed over, not a file to sign`, {
        hint: 'Attest the statement in it with --statement.',
      })
    }
    yield chunk
  }
}

/** Nearly every key signs SHA-256: reading begins with it. A key that signs another hash makes a file be read again from the start. */
async function hashWhileSignerLoads(source: BlobSource, signer: Signer | Promise<Signer>): Promise<{ digest: Digest; signer: Signer }> {
  if (source.repeatable !== true) {
    const ready = await signer
    return { digest: demand(await hashSource(source, ready.digestAlgorithm.hash)), signer: ready }
  }
  let hash: HashAlgorithm | 'failed' = 'sha256'
  const loading = Promise.resolve(signer).then(
    (ready) => {
      hash = ready.digestAlgorithm.hash
      return ready
    },
    (cause: unknown) => {
      hash = 'failed'
      throw cause
    },
  )
  const [guess, ready] = await Promise.all([hashSource(source, 'sha256', () => hash !== 'sha256'), loading])
  if (ready.digestAlgorithm.hash === 'sha256') return { digest: demand(guess), signer: ready }
  return { digest: demand(await hashSource(source, ready.digestAlgorithm.hash)), signer: ready }
}

function demand(digest: Digest | undefined): Digest {
  if (digest === undefined) throw new CountersignError('internal', 'hashing ended early')
  return digest
}

/** How a file is attested. */
export type AttestBlobOptions = {
  readonly source: StatementSource
  readonly signer: Signer | Promise<Signer>
  /** The hash in the statement; default SHA-256. */
  readonly hash?: HashAlgorithm
}

/** A file's attestation in its three forms. */
export type AttestedBlob = {
  readonly digest: Digest
  /** Sigstore bundle v0.3, JSON. */
  readonly bundle: Uint8Array
  /** The in-toto statement, as signed. */
  readonly statement: Uint8Array
  /** The DSSE envelope, JSON. */
  readonly envelope: Uint8Array
}

/**
 * Attests something about a file: the statement names the file and its digest; a whole statement is signed verbatim, if it names the digest.
 *
 * Throws `subject_mismatch` when a verbatim statement is about another file, `usage` when it claims to be a signature.
 *
 * @example
 * ```ts
 * const source = { kind: 'predicate', predicateType: 'https://slsa.dev/provenance/v1', predicate } as const
 * const { bundle } = await attestBlob(fileBlobSource('release.tar.gz'), { source, signer })
 * ```
 */
export async function attestBlob(source: BlobSource, options: AttestBlobOptions): Promise<AttestedBlob> {
  const digest = demand(await hashSource(source, options.hash ?? 'sha256'))
  return attestDigest({ name: source.name, digest }, options)
}

/** A file that is elsewhere, by its digest. */
export type NamedDigest = { readonly name: string; readonly digest: Digest }

/**
 * {@link attestBlob} of a file of which only the digest is known; without one, of what a whole statement names first. Throws `usage` when neither
 * is given, `statement_malformed` when the statement names no SHA-256.
 */
export async function attestDigest(
  file: NamedDigest | undefined,
  { source, signer }: Pick<AttestBlobOptions, 'source' | 'signer'>,
): Promise<AttestedBlob> {
  const statement = source.kind === 'statement' ? source.statement : statementOf(file, source)
  const parsed = parseStatement(statement)
  demandAttestation(parsed)
  if (file !== undefined && !parsed.subjects.some((subject) => subject.digest[digestAlgorithm(file.digest)] === digestHex(file.digest))) {
    throw new CountersignError('subject_mismatch', `the statement does not name ${file.name === '' ? 'the digest given' : file.name}`, {
      expected: file.digest,
    })
  }
  const digest = file?.digest ?? parseDigest(`sha256:${parsed.subjects[0]?.digest['sha256'] ?? ''}`)
  if (digest === undefined) throw new CountersignError('statement_malformed', 'the statement names no SHA-256 of a subject')
  const ready = await signer
  const envelope = await signStatement(statement, ready)
  const bundle = await bundleOf({ kind: 'dsse', envelope }, ready)
  return { digest, bundle, statement, envelope: serializeEnvelope(envelope) }
}

function statementOf(
  file: NamedDigest | undefined,
  { predicateType, predicate }: Extract<StatementSource, { kind: 'predicate' }>,
): Uint8Array {
  if (file === undefined) throw new CountersignError('usage', 'a predicate is about a file, and none is named')
  const name = file.name.slice(Math.max(file.name.lastIndexOf('/'), file.name.lastIndexOf('\\')) + 1)
  const digest = { [digestAlgorithm(file.digest)]: digestHex(file.digest) }
  return buildStatement({ version: '0.1', subjects: [{ name, digest }], predicateType, predicate })
}
