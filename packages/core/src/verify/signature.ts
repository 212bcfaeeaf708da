/** The signature itself: over the artifact, over a payload, or over a DSSE pre-authentication encoding. */
import { digestAlgorithm, digestBytes, type Digest, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { algorithmFor, candidateAlgorithms, type SignatureAlgorithm } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import { demandDigest, maxBufferedArtifact, type KnownArtifact } from './artifact.ts'
import type { ReadContent } from './content.ts'

/** Bytes of a stream up to which it is kept for any message signature: 1 MiB. */
const maxKeptAnyway = 1024 * 1024

/** Bytes of an artifact up to which it is hashed again within the signature check: 16 MiB. */
const maxHashedTwice = 16 * 1024 * 1024

/** A signature that held: by which key of the list, how it was computed, and for a message signature over which digest. */
export type HeldSignature = {
  readonly key: PublicKey
  readonly algorithm: SignatureAlgorithm
  /** Message signatures only: what the signature binds. */
  readonly digest?: Digest
}

/** The hash functions that a message signature by these keys may need of the artifact. */
export function messageHashes(content: Extract<ReadContent, { kind: 'message' }>, keys: readonly PublicKey[]): readonly HashAlgorithm[] {
  const claimed = content.claimedDigest === undefined ? [] : [digestAlgorithm(content.claimedDigest)]
  return [...claimed, ...keys.flatMap((key) => messageAlgorithms(key, content.claimedDigest).map((algorithm) => algorithm.hash))]
}

/**
 * How many bytes of a stream to keep: all that is allowed where the signature may be pure Ed25519, which is over the whole artifact; little ones
 * for any message signature, because the platform's own ECDSA takes no digest; none for the other contents.
 */
export function bytesToKeep(content: ReadContent, keys: readonly PublicKey[]): number {
  if (content.kind !== 'message') return 0
  return keys.some((key) => key.type === 'ed25519') ? maxBufferedArtifact : maxKeptAnyway
}

/**
 * Tries every key; `undefined` when none made this signature. What could not be tried (pure Ed25519 without the artifact, a hash that was not
 * given) throws `algorithm_unsupported` or `limit_exceeded`, unless another key holds: not being able to tell is not "no".
 */
export async function findSigner(
  content: ReadContent,
  keys: readonly PublicKey[],
  artifact: KnownArtifact,
  primitives: Primitives,
): Promise<HeldSignature | undefined> {
  let untold: CountersignError | undefined
  for (const key of keys) {
    try {
      const held =
        content.kind === 'message' ? await verifyMessage(content, key, artifact, primitives) : await verifyPayload(content, key, primitives)
      if (held !== undefined) return held
    } catch (cause) {
      if (!(cause instanceof CountersignError) || (cause.code !== 'algorithm_unsupported' && cause.code !== 'limit_exceeded')) throw cause
      untold ??= cause
    }
  }
  if (untold !== undefined) throw untold
  return undefined
}

async function verifyPayload(
  content: Exclude<ReadContent, { kind: 'message' }>,
  key: PublicKey,
  primitives: Primitives,
): Promise<HeldSignature | undefined> {
  const context = content.kind === 'statement' ? 'dsse' : 'simple-signing'
  for (const algorithm of candidateAlgorithms(key, context)) {
    if (await primitives.verify(algorithm, key, content.message, content.signature)) return { key, algorithm }
  }
  return undefined
}

async function verifyMessage(
  content: Extract<ReadContent, { kind: 'message' }>,
  key: PublicKey,
  artifact: KnownArtifact,
  primitives: Primitives,
): Promise<HeldSignature | undefined> {
  let untold: CountersignError | undefined
  for (const algorithm of messageAlgorithms(key, content.claimedDigest)) {
    if (algorithm.scheme === 'ed25519' && artifact.bytes === undefined) {
      untold = withoutBytes(artifact)
      continue
    }
    const digest = algorithm.scheme === 'ed25519' ? (content.claimedDigest ?? artifact.digests[0]) : demandDigest(artifact, algorithm.hash)
    const { bytes } = artifact
    // The platform's own ECDSA takes whole messages only, and is far faster; over a large artifact one more hash would cost more than it saves.
    const whole = algorithm.scheme === 'ed25519' || (bytes !== undefined && bytes.length <= maxHashedTwice)
    const holds = whole
      ? await primitives.verify(algorithm, key, bytes as Uint8Array, content.signature)
      : await primitives.verifyDigest(algorithm, key, digestBytes(digest as Digest), content.signature)
    if (holds) return { key, algorithm, ...(digest === undefined ? {} : { digest }) }
  }
  if (untold !== undefined) throw untold
  return undefined
}

/** The hash comes from the bundle where it names one, else from the key. Ed25519 signs SHA-512 digests, prehashed, or whole messages. */
function messageAlgorithms(key: PublicKey, claimed: Digest | undefined): readonly SignatureAlgorithm[] {
  if (claimed === undefined || key.type === 'ed25519') return candidateAlgorithms(key, 'detached')
  const hash = digestAlgorithm(claimed)
  return key.type === 'rsa' ? [algorithmFor(key, hash), algorithmFor(key, hash, 'pss')] : [algorithmFor(key, hash)]
}

function withoutBytes(artifact: KnownArtifact): CountersignError {
  if (artifact.withoutBytes === 'too-large') {
    return new CountersignError('limit_exceeded', 'the artifact is too large for an Ed25519 signature, which is over the whole artifact', {
      expected: `at most ${maxBufferedArtifact} bytes`,
      hint: 'Sign large files with an ECDSA key, or with Ed25519ph.',
    })
  }
  return new CountersignError('algorithm_unsupported', 'an Ed25519 signature is over the whole artifact, of which only a digest is known', {
    hint: 'Verify the artifact itself instead of a digest of it.',
  })
}
