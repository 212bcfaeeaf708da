/** `intoto` 0.0.1 and 0.0.2: what older clients log for an attestation. Verified and kept; nothing newer writes them. */
import { base64ToBytes, bytesToBase64 } from '../base64.ts'
import { bytesToHex, fromUtf8, utf8 } from '../bytes.ts'
import type { DsseEnvelope } from '../dsse/envelope.ts'
import { CountersignError } from '../failure.ts'
import { canonicalJson } from '../json/canonical.ts'
import { base64Bytes, isAbsent, items, nonEmptyText, openMembers, text, type Place } from '../json/shape.ts'
import type { SyncHash } from '../merkle/tree.ts'
import { claimsOf, readEnvelope, statementDigests } from './dsse-v1.ts'
import { readHash } from './hashedrekord-v1.ts'
import { readPemSigner } from './pem-signer.ts'
import type { ProposedEntryV1 } from './proposal-v1.ts'

const maxSignatures = 8

type Read = Omit<ProposedEntryV1, 'kind'>

/** Reads the `spec` of either version. Fails with the code of the place. */
export function readIntotoV1(primitives: SyncHash, spec: Place, version: '0.0.1' | '0.0.2'): Read {
  return version === '0.0.1' ? readFirst(primitives, spec) : readSecond(primitives, spec)
}

/** 0.0.1: the envelope as text, one key for all of its signatures. */
function readFirst(primitives: SyncHash, spec: Place): Read {
  const field = openMembers(spec)
  const content = openMembers(field('content'))
  const document = nonEmptyText(content('envelope'))
  const envelope = readEnvelope(content('envelope'), document)
  const signer = readPemSigner(field('publicKey'), base64Bytes(field('publicKey')))
  const claims = claimsOf(
    content('envelope'),
    envelope,
    envelope.signatures.map(() => signer),
  )
  const sha256 = (bytes: Uint8Array): string => bytesToHex(primitives.hash('sha256', bytes))
  const body = canonicalJson({
    apiVersion: '0.0.1',
    kind: 'intoto',
    spec: {
      content: {
        hash: { algorithm: 'sha256', value: sha256(utf8(document)) },
        payloadHash: { algorithm: 'sha256', value: sha256(envelope.payload) },
      },
      publicKey: bytesToBase64(signer.canonical),
    },
  })
  return { body, claims, statementDigests: statementDigests(envelope) }
}

/** 0.0.2: the envelope as an object whose payload and signatures are in base64 twice, each signature with its key. */
function readSecond(primitives: SyncHash, spec: Place): Read {
  const content = openMembers(openMembers(spec)('content'))
  const field = openMembers(content('envelope'))
  const places = items(field('signatures'), maxSignatures).map(openMembers)
  const envelope: DsseEnvelope = {
    payloadType: nonEmptyText(field('payloadType')),
    payload: twice(field('payload')),
    signatures: places.map((item) => ({ sig: twice(item('sig')) })),
  }
  const signers = places.map((item) => readPemSigner(item('publicKey'), base64Bytes(item('publicKey'))))
  const claims = claimsOf(field('signatures'), envelope, signers)
  const hash = readHash(content('hash'), ['sha256'])
  const body = canonicalJson({
    apiVersion: '0.0.2',
    kind: 'intoto',
    spec: {
      content: {
        envelope: {
          payloadType: envelope.payloadType,
          signatures: places.map((item, index) => ({
            ...(isAbsent(item('keyid')) || text(item('keyid')) === '' ? {} : { keyid: text(item('keyid')) }),
            publicKey: bytesToBase64(signers[index]?.canonical ?? new Uint8Array()),
            sig: text(item('sig')),
          })),
        },
        hash,
        payloadHash: { algorithm: 'sha256', value: bytesToHex(primitives.hash('sha256', envelope.payload)) },
      },
    },
  })
  return { body, claims, statementDigests: statementDigests(envelope) }
}

function twice(at: Place): Uint8Array {
  try {
    return base64ToBytes(fromUtf8(base64Bytes(at)))
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === at.code) throw cause
    throw new CountersignError(at.code, `${at.path}: not base64 of base64`, { cause })
  }
}
