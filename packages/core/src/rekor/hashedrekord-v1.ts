/** `hashedrekord` 0.0.1 and `rekord` 0.0.1: a signature over a file, of which the log keeps the digest. */
import { bytesToBase64 } from '../base64.ts'
import { bytesToHex, hexToBytes } from '../bytes.ts'
import { hashLength, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { canonicalJson } from '../json/canonical.ts'
import { base64Bytes, isAbsent, nonEmptyText, oneOf, openMembers, refuse, type Members, type Place } from '../json/shape.ts'
import { algorithmFor, candidateAlgorithms, type SignatureAlgorithm } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { SyncHash } from '../merkle/tree.ts'
import { readPemSigner } from './pem-signer.ts'
import type { ProposedEntryV1 } from './proposal-v1.ts'

type Read = Pick<ProposedEntryV1, 'body' | 'claims'>

/** Reads the `spec` of a hashedrekord. An Ed25519 key signs a digest only as Ed25519ph. Fails with the code of the place. */
export function readHashedrekordV1(spec: Place): Read {
  const field = openMembers(spec)
  const { algorithm, value } = readHash(openMembers(field('data'))('hash'), ['sha256', 'sha384', 'sha512'])
  const { signature, content, signer, canonical } = readSignature(field('signature'))
  const body = canonicalJson({
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm, value } },
      signature: { content, publicKey: { content: bytesToBase64(canonical) } },
    },
  })
  const algorithms = [algorithmWith(field('data'), signer.key, algorithm)]
  return { body, claims: [{ signer, signature, algorithms, over: { kind: 'digest', digest: hexToBytes(value) } }] }
}

/** Reads the `spec` of a rekord, which carries the whole file. Only keys and certificates in PEM (`x509`) are taken. */
export function readRekordV1(primitives: SyncHash, spec: Place): Read {
  const field = openMembers(spec)
  oneOf(openMembers(field('signature'))('format'), ['x509'])
  const { signature, content, signer, canonical } = readSignature(field('signature'))
  const data = openMembers(field('data'))
  const message = base64Bytes(data('content'))
  const value = bytesToHex(primitives.hash('sha256', message))
  if (!isAbsent(data('hash')) && readHash(data('hash'), ['sha256']).value !== value) {
    refuse(data('hash'), 'the digest is not that of the content', { expected: value })
  }
  const body = canonicalJson({
    apiVersion: '0.0.1',
    kind: 'rekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value } },
      signature: { content, format: 'x509', publicKey: { content: bytesToBase64(canonical) } },
    },
  })
  return {
    body,
    claims: [{ signer, signature, algorithms: candidateAlgorithms(signer.key, 'detached'), over: { kind: 'message', message } }],
  }
}

function readSignature(at: Place): ReturnType<typeof readPemSigner> & { readonly signature: Uint8Array; readonly content: string } {
  const field: Members = openMembers(at)
  const signature = base64Bytes(field('content'))
  const key = openMembers(field('publicKey'))('content')
  return { signature, content: bytesToBase64(signature), ...readPemSigner(key, base64Bytes(key)) }
}

/** A hash as entries write it: lower-case hexadecimal, since a second spelling would be a second entry. */
export function readHash<const Algorithm extends HashAlgorithm>(
  at: Place,
  algorithms: readonly Algorithm[],
): { readonly algorithm: Algorithm; readonly value: string } {
  const field = openMembers(at)
  const algorithm = oneOf(field('algorithm'), algorithms)
  const value = nonEmptyText(field('value'))
  if (!/^[0-9a-f]+$/.test(value) || value.length !== 2 * hashLength[algorithm]) {
    refuse(field('value'), `not a ${algorithm} in lower-case hexadecimal`, { found: value.slice(0, 140) })
  }
  return { algorithm, value }
}

function algorithmWith(at: Place, key: PublicKey, hash: HashAlgorithm): SignatureAlgorithm {
  try {
    return algorithmFor(key, hash)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return refuse(at, cause.message, { cause })
  }
}
