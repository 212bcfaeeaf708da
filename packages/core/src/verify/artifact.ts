/** The artifact as the verifier has it: digests, bytes, or a stream that is read once. */
import { concatBytes } from '../bytes.ts'
import { digestAlgorithm, digestFromBytes, type Digest, type HashAlgorithm } from '../digest.ts'
import { isPreAuthEncoding, preAuthHeadBytes } from '../dsse/envelope.ts'
import { CountersignError, unreachable } from '../failure.ts'
import type { Hasher, Primitives } from '../primitives.ts'

/** What is said to be signed. A stream is read to its end at most once; `known` is one that was read before, for several verifications. */
export type Artifact =
  | { readonly kind: 'digest'; readonly digests: readonly Digest[] }
  | { readonly kind: 'known'; readonly artifact: KnownArtifact }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly stream: AsyncIterable<Uint8Array> }

/** Pure Ed25519 signs the message itself, not its hash, so a stream must be kept for it; larger ones are `limit_exceeded`. 128 MiB. */
export const maxBufferedArtifact: number = 128 * 1024 * 1024

/** What is known about the artifact once it has been read. */
export type KnownArtifact = {
  readonly digests: readonly Digest[]
  /** The whole artifact, where it was given or kept. */
  readonly bytes?: Uint8Array
  /** How it begins, where it was given as more than a digest. */
  readonly head?: Uint8Array
  /** Why `bytes` is absent: a caller that must have them gives this to the person. */
  readonly withoutBytes: 'digest-only' | 'too-large'
}

/** The digest by one hash function, if it is known. */
export function digestBy(artifact: KnownArtifact, algorithm: HashAlgorithm): Digest | undefined {
  return artifact.digests.find((digest) => digestAlgorithm(digest) === algorithm)
}

/** The digest by one hash function; refuses with `algorithm_unsupported` when the verifier was given others only. */
export function demandDigest(artifact: KnownArtifact, algorithm: HashAlgorithm): Digest {
  const digest = digestBy(artifact, algorithm)
  if (digest !== undefined) return digest
  throw new CountersignError('algorithm_unsupported', `the signature is over the ${algorithm} digest of the artifact, which is not known`, {
    expected: `a ${algorithm} digest`,
    found: artifact.digests.join(', ') || 'none',
    hint: 'Verify the artifact itself instead of a digest of it.',
  })
}

/** Refuses with `predicate_mismatch` an artifact that is what the signature of an envelope is over; of a digest alone nobody can tell. */
export function demandNoEnvelope(artifact: KnownArtifact): void {
  if (artifact.head === undefined || !isPreAuthEncoding(artifact.head)) return
  throw new CountersignError('predicate_mismatch', 'the artifact is what the signature of a DSSE envelope is computed over', {
    expected: 'a file of another kind',
    hint: 'Verify the envelope instead.',
  })
}

/**
 * Reads the artifact once and computes exactly `algorithms`. A stream of at most `keepUpTo` bytes is kept whole, a longer one not at all.
 * Given digests must be one per hash function, else `digest_malformed`: two would let an attacker choose which one is compared.
 */
export async function readArtifact(
  artifact: Artifact,
  algorithms: readonly HashAlgorithm[],
  keepUpTo: number,
  primitives: Primitives,
): Promise<KnownArtifact> {
  switch (artifact.kind) {
    case 'digest': {
      const distinct = new Set(artifact.digests.map(digestAlgorithm))
      if (distinct.size !== artifact.digests.length || distinct.size === 0) {
        throw new CountersignError('digest_malformed', 'an artifact has one digest per hash function', {
          found: artifact.digests.join(', '),
        })
      }
      return { digests: artifact.digests, withoutBytes: 'digest-only' }
    }
    case 'known':
      return artifact.artifact
    case 'bytes': {
      const { bytes } = artifact
      const digests = await Promise.all(algorithms.map(async (name) => asDigest(name, await primitives.hash(name, bytes))))
      return { digests, bytes, head: bytes.subarray(0, preAuthHeadBytes), withoutBytes: 'too-large' }
    }
    case 'stream':
      return readStream(artifact.stream, algorithms, keepUpTo, primitives)
    default:
      return unreachable(artifact)
  }
}

async function readStream(
  stream: AsyncIterable<Uint8Array>,
  algorithms: readonly HashAlgorithm[],
  keepUpTo: number,
  primitives: Primitives,
): Promise<KnownArtifact> {
  const hashers: (readonly [HashAlgorithm, Hasher])[] = []
  for (const name of algorithms) hashers.push([name, await primitives.hasher(name)])
  let kept: Uint8Array[] | undefined = []
  let length = 0
  let head: Uint8Array = new Uint8Array()
  for await (const chunk of stream) {
    if (head.length < preAuthHeadBytes) head = concatBytes(head, chunk.subarray(0, preAuthHeadBytes - head.length))
    for (const [, hasher] of hashers) hasher.update(chunk)
    length += chunk.length
    if (length > keepUpTo) kept = undefined
    // A source may reuse its buffer for the next chunk. Not `slice`: of a Buffer that is a view, and the bytes verified would be others.
    kept?.push(new Uint8Array(chunk))
  }
  const digests = hashers.map(([name, hasher]) => asDigest(name, hasher.digest()))
  const known: KnownArtifact = { digests, head, withoutBytes: 'too-large' }
  return kept === undefined ? known : { ...known, bytes: join(kept, length) }
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}

function asDigest(algorithm: HashAlgorithm, hash: Uint8Array): Digest {
  const digest = digestFromBytes(algorithm, hash)
  if (digest === undefined) throw new CountersignError('internal', `${hash.length} bytes are not the output of ${algorithm}`)
  return digest
}
