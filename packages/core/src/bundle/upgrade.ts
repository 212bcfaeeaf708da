/**
 * Any signed entity as a Sigstore bundle v0.3, without a key: what the format holds is carried over whole, what it cannot hold is refused and
 * named. Nothing is verified, and nothing is made up.
 */
import { equalBytes } from '../bytes.ts'
import type { Digest } from '../digest.ts'
import { CountersignError, unreachable } from '../failure.ts'
import { bundleMediaType } from './serialize.ts'
import type { Bundle, SignedContent, SignedEntity, VerificationMaterial } from './model.ts'

/** What the older form lacks or holds in another way. */
export type UpgradeParts = {
  /** Digest of the file under a message signature, in the signature's hash function. */
  readonly digest?: Digest
  /** Hint at the public key, base64 of the SHA-256 of its SPKI. */
  readonly hint?: string
  /**
   * Certificates that every verifier of the result has from its trusted root, DER: intermediates among them are not lost when they are left out
   * of the bundle, which since v0.3 holds the leaf alone.
   */
  readonly issuers?: readonly Uint8Array[]
}

/**
 * The bundle. Throws `not_supported` for what v0.3 cannot hold: a simple-signing payload, a log entry without inclusion proof and checkpoint,
 * a chain whose intermediates are not in `issuers`, a timestamp over a whole legacy envelope, a `keyid`, a message signature without the
 * digest of its file (no verifier but the one that has the file takes it).
 */
export function upgradeEntity(entity: SignedEntity, parts: UpgradeParts = {}): Bundle {
  for (const { inclusionProof } of entity.logEntries) {
    if (inclusionProof?.checkpoint !== undefined) continue
    throw cannotHold(
      'a log entry without inclusion proof and checkpoint',
      'Fetch the proof from the log, or keep the old form: it verifies as it is.',
    )
  }
  return {
    version: '0.3',
    mediaType: bundleMediaType,
    material: upgradeMaterial(entity.material, parts),
    logEntries: entity.logEntries,
    timestamps: entity.timestamps,
    content: upgradeContent(entity, parts.digest),
  }
}

function upgradeMaterial(material: VerificationMaterial, { hint, issuers = [] }: UpgradeParts): VerificationMaterial {
  if (material.kind === 'public-key') {
    const known = material.hint ?? hint
    return known === undefined ? { kind: 'public-key' } : { kind: 'public-key', hint: known }
  }
  const [leaf, ...others] = material.chain
  if (others.every((der) => issuers.some((issuer) => equalBytes(issuer, der)))) return { kind: 'certificate', chain: [leaf] }
  throw cannotHold(
    'the intermediate certificates of a chain',
    'Name the trusted root that holds them with --trusted-root: then nothing is lost when they are left out.',
  )
}

function upgradeContent({ content, timestamps }: SignedEntity, digest: Digest | undefined): SignedContent {
  switch (content.kind) {
    case 'message': {
      const claimedDigest = content.claimedDigest ?? digest
      if (claimedDigest !== undefined) return { ...content, claimedDigest }
      throw cannotHold('a signature over a file without the digest of the file', 'Name the file with --artifact.')
    }
    case 'dsse': {
      const { envelope, document } = content
      if (document !== undefined && timestamps.length > 0) {
        throw cannotHold('a timestamp over a whole envelope', 'Keep the old form: in a bundle a timestamp is over the signature.')
      }
      if (envelope.signatures.length !== 1)
        throw cannotHold(`an envelope with ${envelope.signatures.length} signatures`, 'Keep the envelope as it is.')
      if (envelope.signatures.some(({ keyid }) => keyid !== undefined && keyid !== '')) {
        throw cannotHold('an envelope with a keyid, which other verifiers refuse', 'Keep the envelope as it is.')
      }
      return { kind: 'dsse', envelope }
    }
    case 'simple-signing':
      throw cannotHold(
        'a simple-signing payload',
        'Sign the image again in the bundle layout; old readers find the old signature beside it.',
      )
    default:
      return unreachable(content)
  }
}

function cannotHold(what: string, hint: string): CountersignError {
  return new CountersignError('not_supported', `a bundle v0.3 cannot hold ${what}`, { hint })
}
