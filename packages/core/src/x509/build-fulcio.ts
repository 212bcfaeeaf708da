/** The signing certificate of Fulcio, exactly (fulcio, docs/certificate-specification.md, docs/oid-info.md), in its three forms. */
import { derBitString, derOctetString, derOid, derSequence, derUtf8String } from '../der/writer.ts'
import { utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'
import { encodeAlgorithmIdentifier } from './algorithm-identifier.ts'
import type { AuthorityIssuer } from './build-authority.ts'
import {
  alternativeNameExtension,
  authorityKeyIdExtension,
  extKeyUsageExtension,
  keyUsageExtension,
  poisonExtension,
  sctListExtension,
  subjectKeyIdExtension,
  type WrittenName,
} from './build-extensions.ts'
import { finishTbs, tbsHead } from './build.ts'
import { purposeOid } from './oids.ts'

/** Last arcs of the extensions under 1.3.6.1.4.1.57264.1 in the order in which they are written; 7 is a kind of alternative name. */
export const fulcioArcs = [
  '1',
  '2',
  '3',
  '4',
  '5',
  '6',
  '8',
  '9',
  '10',
  '11',
  '12',
  '13',
  '14',
  '15',
  '16',
  '17',
  '18',
  '19',
  '20',
  '21',
  '22',
  '23',
  '24',
] as const

/** One extension, by its last arc. */
export type FulcioArc = (typeof fulcioArcs)[number]

/** Texts of the extensions; those that are absent or empty are not written. */
export type FulcioClaims = { readonly [arc in FulcioArc]?: string }

/** What a signing certificate says. */
export type FulcioLeaf = {
  /** 20 bytes from the caller's random numbers, the first below 0x80 and not zero all. */
  readonly serial: Uint8Array
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly key: PublicKey
  /** Of the key (`keyIdentifier`). */
  readonly keyId: Uint8Array
  /** The one alternative name; ASCII but for user names. */
  readonly name: WrittenName
  readonly claims: FulcioClaims
}

/** TBSCertificates of one signing certificate, DER. */
export type FulcioTbs = {
  /** With the poison: what the authority signs as precertificate. */
  readonly precertificate: Uint8Array
  /** Without poison and without timestamps: what the log's leaf holds and its timestamp is over (RFC 6962 §3.2). */
  readonly logged: Uint8Array
  /** With the timestamps as last extension: what the authority signs in the end. `list` is the SignedCertificateTimestampList. */
  readonly withScts: (list: Uint8Array) => Uint8Array
}

/** Writes signing certificates of one authority. */
export type FulcioWriter = {
  readonly tbs: (leaf: FulcioLeaf) => FulcioTbs
  /** The certificate around a signed TBSCertificate. */
  readonly certificate: (tbs: Uint8Array, signature: Uint8Array) => Uint8Array
}

const rawArcs = 6

/** Prepares what is the same in all certificates of an authority. Throws `certificate_unsuitable` for a leaf without issuer claims (1 and 8). */
export function fulcioWriter(issuer: AuthorityIssuer, algorithm: SignatureAlgorithm): FulcioWriter {
  const usage = [keyUsageExtension('digitalSignature'), extKeyUsageExtension(false, purposeOid.codeSigning)]
  const authorityKeyId = authorityKeyIdExtension(issuer.keyId)
  const oids = new Map(fulcioArcs.map((arc) => [arc, derOid(`1.3.6.1.4.1.57264.1.${arc}`)]))
  const poison = poisonExtension()
  const emptySubject = derSequence()
  const algorithmIdentifier = encodeAlgorithmIdentifier(algorithm)

  const claimExtension = (arc: FulcioArc, text: string): Uint8Array => {
    const value = Number(arc) <= rawArcs ? utf8(text) : derUtf8String(text)
    return derSequence(oids.get(arc) as Uint8Array, derOctetString(value))
  }

  const tbs = ({ key, keyId, name, claims, ...rest }: FulcioLeaf): FulcioTbs => {
    if (!claims['1'] || !claims['8']) throw new CountersignError('certificate_unsuitable', 'a signing certificate names its issuer')
    const head = tbsHead({ ...rest, issuer: issuer.name, subject: emptySubject, spki: key.spki }, algorithm)
    const extensions = [...usage, subjectKeyIdExtension(keyId), authorityKeyId, alternativeNameExtension(true, name)]
    for (const arc of fulcioArcs) {
      const text = claims[arc]
      if (text !== undefined && text !== '') extensions.push(claimExtension(arc, text))
    }
    return {
      precertificate: finishTbs(head, [...extensions, poison]),
      logged: finishTbs(head, extensions),
      withScts: (list) => finishTbs(head, [...extensions, sctListExtension(list)]),
    }
  }
  return { tbs, certificate: (signed, signature) => derSequence(signed, algorithmIdentifier, derBitString(signature)) }
}
