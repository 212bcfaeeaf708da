/**
 * Remembers which signatures on certificates, promises of CT logs and tree heads were right, for whoever verifies many bundles.
 *
 * What is remembered is the answer of a pure function, and its name is all of its input, byte for byte: this algorithm, this key, this message,
 * this signature. Nothing about trust is in it: whose key that is, whether an authority is trusted, at what time, for what use and for whom, is
 * decided anew in each verification. Only right signatures are remembered, so that a wrong one costs what it always cost.
 */
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import type { Awaitable, Primitives } from '../primitives.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'
import type { CertificateParts, CertificateReader } from '../x509/chain.ts'
import { fulcioIdentity } from '../x509/fulcio.ts'
import { embeddedScts, precertificateTbs } from '../x509/sct.ts'
import { createExactMemory } from './exact-memory.ts'

/** What a verification may take from memory. */
export type Recall = {
  /** The primitives, whose `verify` is asked once for each right signature. */
  readonly primitives: Primitives
  readonly reader: CertificateReader
}

/** A bounded memory, made by the caller and given to each verification that may use it. */
export type CertificateCache = {
  /** What is remembered of one implementation of primitives: each has answers of its own. */
  readonly over: (primitives: Primitives) => Recall
  /** How many signatures are remembered, and how many answers came from memory. */
  readonly counts: () => { readonly kept: number; readonly recalled: number }
}

/** Bounds of a cache. */
export type CertificateCacheLimits = {
  /** Signatures, and as many certificates and keys; default 4,096. The one not asked for longest goes first. */
  readonly maxEntries?: number
  /** Bytes of one signed message with key and signature; default 16 KiB. Longer ones are verified each time. */
  readonly maxMessageBytes?: number
}

/** Makes an empty cache. */
export function createCertificateCache({ maxEntries = 4_096, maxMessageBytes = 16_384 }: CertificateCacheLimits = {}): CertificateCache {
  const perPrimitives = new WeakMap<Primitives, Recall>()
  const certificates = createExactMemory<Certificate>(maxEntries, maxMessageBytes)
  const keys = createExactMemory<PublicKey>(maxEntries, maxMessageBytes)
  const reader: CertificateReader = {
    certificate: (der) => certificates.recall('', [der]) ?? certificates.note('', [der], ([own]) => parseCertificate(own as Uint8Array)),
    parts: certificateParts(),
    publicKey: (spki) => keys.recall('', [spki]) ?? keys.note('', [spki], ([own]) => parsePublicKey(own as Uint8Array)),
  }
  const right = createExactMemory<true>(maxEntries, maxMessageBytes)
  let recalled = 0
  let made = 0
  const remember = (primitives: Primitives, number: number): Primitives => {
    const verify = (algorithm: SignatureAlgorithm, key: PublicKey, message: Uint8Array, signature: Uint8Array): Awaitable<boolean> => {
      const { name, scheme, hash, encoding = '' } = algorithm
      const how = `${number} ${name} ${scheme} ${hash} ${encoding} ${key.type}`
      const input = [signature, key.spki, message]
      if (right.recall(how, input) === true) {
        recalled++
        return true
      }
      const noted = (holds: boolean): boolean => holds && right.note(how, input, () => true)
      const answer = primitives.verify(algorithm, key, message, signature)
      return typeof answer === 'boolean' ? noted(answer) : answer.then(noted)
    }
    return { ...primitives, verify }
  }
  return {
    counts: () => ({ kept: right.size(), recalled }),
    over: (primitives) => {
      const known = perPrimitives.get(primitives) ?? { primitives: remember(primitives, made++), reader }
      perPrimitives.set(primitives, known)
      return known
    },
  }
}

/** What is in a certificate, read once. */
function certificateParts(): CertificateParts {
  return {
    identity: ofEach((certificate) => {
      const identity = fulcioIdentity(certificate)
      // It goes out with the evidence: whoever writes to it there must not write to that of the next verification.
      return Object.freeze({ ...identity, extensions: Object.freeze(identity.extensions) })
    }),
    scts: ofEach(embeddedScts),
    precertificate: ofEach(precertificateTbs),
  }
}

/** Reads each certificate once, by the certificate itself: those that the reader gives are read from bytes of their own. */
function ofEach<T extends object>(read: (certificate: Certificate) => T): (certificate: Certificate) => T {
  const known = new WeakMap<Certificate, T>()
  return (certificate) => {
    const found = known.get(certificate)
    if (found !== undefined) return found
    const made = read(certificate)
    known.set(certificate, made)
    return made
  }
}
