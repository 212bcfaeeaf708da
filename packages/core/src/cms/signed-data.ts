/**
 * CMS SignedData with one signer (RFC 5652 §5), read strictly. DER is required where BER would do for CMS: the signed attributes are
 * hashed in DER, and one spelling leaves nothing to disagree about.
 */
import { concatBytes } from '../bytes.ts'
import { derMalformed } from '../der/element.ts'
import {
  isContext,
  parseDer,
  readExplicit,
  readInteger,
  readOctetString,
  readOid,
  readSequence,
  readSet,
  readSmallInteger,
  withDerCode,
  type DerNode,
} from '../der/reader.ts'
import { readAlgorithmIdentifier, type AlgorithmIdentifier } from '../x509/algorithm-identifier.ts'
import { cmsOid } from './oids.ts'

/** How a signer is named: by its certificate's issuer and serial number, or by its subject key identifier. */
export type SignerIdentifier =
  | { readonly kind: 'issuer-serial'; readonly issuer: Uint8Array; readonly serial: Uint8Array }
  | { readonly kind: 'key-id'; readonly keyId: Uint8Array }

/** Attributes by OID; each has at least one value. */
export type Attributes = ReadonlyMap<string, readonly DerNode[]>

/** One SignerInfo (RFC 5652 §5.3), unverified. */
export type SignerInfo = {
  readonly identifier: SignerIdentifier
  readonly digestAlgorithm: AlgorithmIdentifier
  readonly signatureAlgorithm: AlgorithmIdentifier
  readonly signature: Uint8Array
  /** Absent when the signature is over the content itself. */
  readonly signedAttributes?: {
    readonly values: Attributes
    /** The attributes as a SET OF, DER: what the signature is over (RFC 5652 §5.4). */
    readonly der: Uint8Array
  }
  readonly unsignedAttributes: Attributes
}

/** SignedData (RFC 5652 §5.1), unverified. */
export type SignedData = {
  readonly version: number
  /** OID of what is signed. */
  readonly contentType: string
  /** Absent when the signature is detached. */
  readonly content?: Uint8Array
  /** X.509 certificates, DER, each unparsed. */
  readonly certificates: readonly Uint8Array[]
  readonly signer: SignerInfo
}

const limits = { maxBytes: 256 * 1024, maxDepth: 32 }
const maxCertificates = 16
const maxAttributes = 32

/** Reads a ContentInfo that holds SignedData with one signer. Throws `cms_malformed`, or `der_too_large` and `der_too_deep`. */
export function parseSignedData(der: Uint8Array): SignedData {
  return withDerCode('cms_malformed', 'not CMS SignedData', () => readContentInfo(parseDer(der, limits)))
}

/** Reads a ContentInfo from an element inside another structure. Throws `der_malformed`. */
export function readContentInfo(node: DerNode | undefined): SignedData {
  const [contentType, content, extra] = readSequence(node)
  if (readOid(contentType) !== cmsOid.signedData || extra !== undefined) throw derMalformed('the content is not SignedData')
  return readSignedData(readSequence(readExplicit(content, 0)))
}

function readSignedData(fields: readonly DerNode[]): SignedData {
  const [version, digestAlgorithms, encapsulated, ...rest] = fields
  readSet(digestAlgorithms).forEach(readAlgorithmIdentifier)
  const { contentType, content } = readEncapsulated(encapsulated)
  const certificates = isContext(rest[0], 0) ? readCertificates(rest.shift() as DerNode) : []
  if (isContext(rest[0], 1)) rest.shift()
  const [signerInfos, extra] = rest
  if (extra !== undefined) throw derMalformed('SignedData has too many fields')
  const signers = readSet(signerInfos)
  const [signer] = signers
  if (signer === undefined || signers.length !== 1) throw derMalformed(`${signers.length} signers instead of one`)
  const number = readSmallInteger(version)
  if (number !== 1 && number !== 3) throw derMalformed(`SignedData of version ${number}`)
  return { version: number, contentType, ...(content && { content }), certificates, signer: readSignerInfo(signer) }
}

function readEncapsulated(node: DerNode | undefined): { contentType: string; content: Uint8Array | undefined } {
  const [contentType, content, extra] = readSequence(node)
  if (extra !== undefined) throw derMalformed('EncapsulatedContentInfo has too many fields')
  return { contentType: readOid(contentType), content: content && readOctetString(readExplicit(content, 0)) }
}

/** Signers leave this set unsorted; its order means nothing. Attribute certificates and other kinds are refused. */
function readCertificates(node: DerNode): readonly Uint8Array[] {
  const certificates = node.children()
  if (certificates.length > maxCertificates) throw derMalformed(`${certificates.length} certificates`)
  return certificates.map((certificate) => {
    readSequence(certificate)
    return certificate.raw
  })
}

function readSignerInfo(node: DerNode): SignerInfo {
  const [version, sid, digestAlgorithm, ...rest] = readSequence(node)
  const identifier = readSignerIdentifier(sid)
  // RFC 5652 §5.3: the version follows from the form of the identifier.
  if (readSmallInteger(version) !== (identifier.kind === 'key-id' ? 3 : 1)) throw derMalformed('SignerInfo has a wrong version')
  const signedAttributes = isContext(rest[0], 0) ? readSignedAttributes(rest.shift() as DerNode) : undefined
  const [signatureAlgorithm, signature, unsigned, extra] = rest
  if (extra !== undefined || (unsigned !== undefined && !isContext(unsigned, 1))) throw derMalformed('SignerInfo has unknown fields')
  return {
    identifier,
    digestAlgorithm: readAlgorithmIdentifier(digestAlgorithm),
    signatureAlgorithm: readAlgorithmIdentifier(signatureAlgorithm),
    signature: readOctetString(signature),
    ...(signedAttributes && { signedAttributes }),
    unsignedAttributes: unsigned === undefined ? new Map() : readAttributes(unsigned.children()),
  }
}

function readSignerIdentifier(node: DerNode | undefined): SignerIdentifier {
  if (isContext(node, 0)) {
    if (node.constructed) throw derMalformed('a key identifier is constructed')
    return { kind: 'key-id', keyId: node.content }
  }
  const [issuer, serial, extra] = readSequence(node)
  if (issuer === undefined || extra !== undefined) throw derMalformed('IssuerAndSerialNumber has two fields')
  readSequence(issuer)
  return { kind: 'issuer-serial', issuer: issuer.raw, serial: readInteger(serial) }
}

/** RFC 5652 §5.4: signed under the tag of a SET, not under the [0] that they travel with. */
function readSignedAttributes(node: DerNode): NonNullable<SignerInfo['signedAttributes']> {
  const der = concatBytes(Uint8Array.of(0x31), node.raw.subarray(1))
  return { values: readAttributes(readSet(parseDer(der))), der }
}

function readAttributes(nodes: readonly DerNode[]): Attributes {
  if (nodes.length === 0 || nodes.length > maxAttributes) throw derMalformed(`${nodes.length} attributes`)
  const attributes = new Map<string, readonly DerNode[]>()
  for (const node of nodes) {
    const [type, values, extra] = readSequence(node)
    const oid = readOid(type)
    if (extra !== undefined) throw derMalformed('an attribute has too many fields')
    // RFC 5652 §5.3. Hostile: of two message digests, one parser may read the first and another the last.
    if (attributes.has(oid)) throw derMalformed(`attribute ${oid} occurs twice`)
    const members = readSet(values)
    if (members.length === 0) throw derMalformed(`attribute ${oid} has no value`)
    attributes.set(oid, members)
  }
  return attributes
}

/** The one value of an attribute; `undefined` when it is absent or has several. */
export function singleValue(attributes: Attributes | undefined, oid: string): DerNode | undefined {
  const values = attributes?.get(oid)
  return values?.length === 1 ? values[0] : undefined
}
