/** Certificates of every shape for tests, the forbidden shapes too, built with our own writer and signed by Node. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import {
  derBitString,
  derBoolean,
  derElement,
  derExplicit,
  derInteger,
  derNamedBits,
  derOctetString,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUtf8String,
} from '../../src/der/writer.ts'
import { utf8 } from '../../src/bytes.ts'
import { keyUsageNames, type KeyUsage } from '../../src/x509/extensions.ts'
import { algorithmOid, extensionOid, purposeOid } from '../../src/x509/oids.ts'

/** A key that signs certificates, and the name that it signs under. */
export type Issuer = { readonly name: Uint8Array; readonly key: KeyPair }

/** A key pair with its public half as SPKI. */
export type KeyPair = { readonly privateKey: KeyObject; readonly spki: Uint8Array }

/** A fresh P-256 key. */
export function newKey(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey, spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })) }
}

/** A Name with one common name; an empty text gives an empty name. */
export function nameOf(commonName: string): Uint8Array {
  return commonName === '' ? derSequence() : derSequence(derSet(derSequence(derOid('2.5.4.3'), derUtf8String(commonName))))
}

/** One extension. */
export function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  return derSequence(derOid(oid), ...(critical ? [derBoolean(true)] : []), derOctetString(value))
}

/** Extensions by what they say. */
export const extensions = {
  ca: (pathLength?: number): Uint8Array =>
    extension(
      extensionOid.basicConstraints,
      true,
      derSequence(derBoolean(true), ...(pathLength === undefined ? [] : [derInteger(pathLength)])),
    ),
  keyUsage: (...uses: KeyUsage[]): Uint8Array =>
    extension(extensionOid.keyUsage, true, derNamedBits(uses.map((use) => keyUsageNames.indexOf(use)))),
  purposes: (critical: boolean, ...oids: string[]): Uint8Array =>
    extension(extensionOid.extKeyUsage, critical, derSequence(...oids.map(derOid))),
  codeSigning: (): Uint8Array => extensions.purposes(false, purposeOid.codeSigning),
  timeStamping: (): Uint8Array => extensions.purposes(true, purposeOid.timeStamping),
  subjectKeyId: (id: string): Uint8Array => extension(extensionOid.subjectKeyIdentifier, false, derOctetString(utf8(id))),
  authorityKeyId: (id: string): Uint8Array =>
    extension(extensionOid.authorityKeyIdentifier, false, derSequence(derElement(0x80, utf8(id)))),
  email: (address: string): Uint8Array => extension(extensionOid.subjectAltName, true, derSequence(derElement(0x81, utf8(address)))),
}

/** What a certificate shall say. Unset parts are those of an ordinary certificate of 2026. */
export type Wanted = {
  readonly subject?: Uint8Array
  readonly key?: KeyPair
  readonly issuer: Issuer
  readonly serial?: number
  readonly notBeforeMs?: number
  readonly notAfterMs?: number
  readonly extensions?: readonly Uint8Array[]
  /** AlgorithmIdentifier inside the signed part, when it shall differ from the outer one. */
  readonly innerAlgorithm?: Uint8Array
  readonly version?: number
}

/** 2026-01-01 and a year later. */
export const start2026: number = Date.UTC(2026, 0, 1)
export const end2026: number = Date.UTC(2027, 0, 1) - 1000

const ecdsaSha256 = derSequence(derOid(algorithmOid.ecdsaWithSha256))

/** A certificate, DER, signed with ECDSA and SHA-256. */
export function issue(wanted: Wanted): Uint8Array {
  const tbs = derSequence(
    derExplicit(0, derInteger(wanted.version ?? 2)),
    derInteger(wanted.serial ?? 7),
    wanted.innerAlgorithm ?? ecdsaSha256,
    wanted.issuer.name,
    derSequence(derTime(wanted.notBeforeMs ?? start2026), derTime(wanted.notAfterMs ?? end2026)),
    wanted.subject ?? nameOf('leaf'),
    (wanted.key ?? newKey()).spki,
    ...(wanted.extensions ? [derExplicit(3, derSequence(...wanted.extensions))] : []),
  )
  return derSequence(tbs, ecdsaSha256, derBitString(new Uint8Array(sign('sha256', tbs, wanted.issuer.key.privateKey))))
}

/** A self-signed root and, below it, an intermediate for the purpose of code signing. */
export function newAuthority(): { root: Uint8Array; intermediate: Uint8Array; rootIssuer: Issuer; issuer: Issuer } {
  const rootIssuer: Issuer = { name: nameOf('root'), key: newKey() }
  const issuer: Issuer = { name: nameOf('intermediate'), key: newKey() }
  const root = issue({
    issuer: rootIssuer,
    subject: rootIssuer.name,
    key: rootIssuer.key,
    extensions: [extensions.ca(), extensions.keyUsage('keyCertSign', 'cRLSign'), extensions.subjectKeyId('root')],
  })
  const intermediate = issue({
    issuer: rootIssuer,
    subject: issuer.name,
    key: issuer.key,
    extensions: [
      extensions.ca(0),
      extensions.keyUsage('keyCertSign'),
      extensions.codeSigning(),
      extensions.subjectKeyId('intermediate'),
      extensions.authorityKeyId('root'),
    ],
  })
  return { root, intermediate, rootIssuer, issuer }
}
