/** Identities certified by an authority of one's own: read from a policy, and compiled into what a verification demands. */
import { bytesToHex, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { isAbsent, items, members, oneMember, optional, optionalItems, refuse, text, type Place } from '../json/shape.ts'
import { decodePem } from '../pem.ts'
import type { Primitives } from '../primitives.ts'
import type { NameMatch, OwnAuthority } from '../verify/policy.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { purposeOid } from '../x509/oids.ts'
import { bounded, isObject, readNameMatch, readWindow, textUpTo } from './fields.ts'
import type { CertificateSource, OwnCertificateMatch, PolicyIdentity } from './model.ts'
import { compileName } from './name-match.ts'

const maxSources = 8
const maxCertificates = 16
const maxPem = 65_536

/** Purposes by the names that RFC 5280 and RFC 9336 give them. */
const purposes = {
  codeSigning: purposeOid.codeSigning,
  emailProtection: purposeOid.emailProtection,
  documentSigning: purposeOid.documentSigning,
}

const fields = ['roots', 'intermediates', 'subject', 'commonName', 'issuer', 'purpose', 'verifierClock_UNSAFE', 'validFrom', 'validUntil']

/** Reads `x509` of an identity. Fails with the code of the place. */
export function readOwnCertificate(at: Place): OwnCertificateMatch {
  const field = members(at, fields)
  const roots = items(field('roots'), maxSources).map(readSource)
  if (roots.length === 0) refuse(field('roots'), 'no root certificate: nobody could have certified anything')
  const [subject, commonName, issuer] = [
    optional(field('subject'), readNameMatch),
    optional(field('commonName'), readNameMatch),
    optional(field('issuer'), readNameMatch),
  ]
  if (subject === undefined && commonName === undefined && issuer === undefined)
    refuse(at, 'names nobody', { expected: 'at least one of subject, commonName and issuer' })
  const reason = optional(field('verifierClock_UNSAFE'), bounded)
  const validFor = readWindow(field('validFrom'), field('validUntil'))
  return {
    kind: 'x509',
    roots,
    intermediates: optionalItems(field('intermediates'), maxSources).map(readSource),
    ...(subject === undefined ? {} : { subject }),
    ...(commonName === undefined ? {} : { commonName }),
    ...(issuer === undefined ? {} : { issuer }),
    purpose: isAbsent(field('purpose')) ? purposes.codeSigning : readPurpose(field('purpose')),
    ...(reason === undefined ? {} : { verifierClockReason: reason }),
    ...(validFor === undefined ? {} : { validFor }),
  }
}

function readSource(at: Place): CertificateSource {
  if (!isObject(at)) return { kind: 'pem', pem: textUpTo(at, maxPem) }
  const field = members(at, ['pem', 'file'])
  const kind = oneMember(at, field, ['pem', 'file'])
  return kind === 'pem' ? { kind, pem: textUpTo(field(kind), maxPem) } : { kind, file: bounded(field(kind)) }
}

function readPurpose(at: Place): string {
  const name = text(at)
  if (Object.hasOwn(purposes, name)) return purposes[name as keyof typeof purposes]
  const expected = `${Object.keys(purposes).join(', ')}, or an OID`
  // A timestamp authority and "any" would make every certificate of the PKI one for signing.
  if (name === purposeOid.any || name === purposeOid.timeStamping) refuse(at, 'no purpose of signing certificates', { expected })
  return /^[0-2](?:\.(?:0|[1-9][0-9]{0,9})){2,15}$/.test(name) ? name : refuse(at, 'not a purpose', { expected, found: name.slice(0, 80) })
}

/** The files that a policy takes certificates from, as it writes them: whoever compiles it gives their content. */
export function certificateFilesOf(identities: Iterable<PolicyIdentity>): readonly string[] {
  const sources = [...identities].flatMap(({ signer }) => (signer.kind === 'x509' ? [...signer.roots, ...signer.intermediates] : []))
  return [...new Set(sources.flatMap((source) => (source.kind === 'file' ? [source.file] : [])))]
}

/** Compiles one. Throws `policy_malformed` for certificates that are none or no authority's, `trust_missing` for a file that was not given. */
export async function compileOwnAuthority(
  match: OwnCertificateMatch,
  path: string,
  { primitives, certificates = new Map() }: { readonly primitives: Primitives; readonly certificates?: ReadonlyMap<string, string> },
): Promise<OwnAuthority> {
  const roots = match.roots.flatMap((source) => readAuthorities(source, `${path}.x509.roots`, certificates))
  const between = match.intermediates.flatMap((source) => readAuthorities(source, `${path}.x509.intermediates`, certificates))
  const [subject, commonName, issuer] = [
    match.subject && (await compileName(match.subject, `${path}.x509.subject`)),
    match.commonName && (await compileName(match.commonName, `${path}.x509.commonName`)),
    match.issuer && (await compileName(match.issuer, `${path}.x509.issuer`)),
  ]
  const reason = match.verifierClockReason
  return {
    id: await demandId(match, roots, between, primitives),
    text: demandText(match),
    anchors: roots.map((root) => ({
      certificates: [...between.map(({ raw }) => raw), root.raw],
      validFor: { start: Number.NEGATIVE_INFINITY },
    })),
    accepts: (names) =>
      (subject === undefined || names.alternativeNames.some(subject)) &&
      (commonName === undefined || (names.commonName !== undefined && commonName(names.commonName))) &&
      (issuer === undefined || issuer(names.issuer)),
    purpose: { oid: match.purpose },
    time: reason === undefined ? { kind: 'trusted' } : { kind: 'verifier_clock_UNSAFE', reason },
  }
}

function readAuthorities(source: CertificateSource, path: string, files: ReadonlyMap<string, string>): readonly Certificate[] {
  const pem = source.kind === 'pem' ? source.pem : files.get(source.file)
  if (pem === undefined) {
    throw new CountersignError(
      'trust_missing',
      `${path}: the policy asks for ${source.kind === 'file' ? source.file : ''}, which was not given`,
      {
        hint: 'Write the certificate in as PEM, or give the file beside the policy.',
      },
    )
  }
  const found = reading(path, () => decodePem(pem, 'CERTIFICATE').map(({ bytes }) => parseCertificate(bytes)))
  if (found.length === 0 || found.length > maxCertificates) {
    throw new CountersignError('policy_malformed', `${path}: ${found.length} certificates`, { expected: `1 to ${maxCertificates}` })
  }
  const other = found.find(({ basicConstraints }) => basicConstraints?.ca !== true)
  if (other === undefined) return found
  throw new CountersignError('policy_malformed', `${path}: ${other.subject.text} is no certificate authority`, {
    hint: 'Name the authority here, and the signer by subject or commonName; or trust its key with keys.',
  })
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('policy_malformed', `${path}: ${cause.message}`, { cause })
  }
}

/** Evidence refers to the demand by this: evidence that was proven for another demand, or before it was changed, is none for this one. */
async function demandId(
  match: OwnCertificateMatch,
  roots: readonly Certificate[],
  between: readonly Certificate[],
  primitives: Primitives,
): Promise<string> {
  const fingerprints = async (certificates: readonly Certificate[]): Promise<readonly string[]> =>
    Promise.all(certificates.map(async ({ raw }) => bytesToHex(await primitives.hash('sha256', raw))))
  // Apart: a certificate that was an anchor and is a mere intermediate now vouches for nobody.
  const [anchors, intermediates] = [await fingerprints(roots), await fingerprints(between)]
  const { subject, commonName, issuer, purpose, verifierClockReason } = match
  const name = (one: NameMatch | undefined): readonly string[] => (one === undefined ? [] : [one.kind, one.value])
  const demand = [anchors, intermediates, name(subject), name(commonName), name(issuer), purpose, verifierClockReason !== undefined]
  return bytesToHex(await primitives.hash('sha256', utf8(JSON.stringify(demand))))
}

function demandText({ subject, commonName, issuer }: OwnCertificateMatch): string {
  const shown = (what: string, match: NameMatch | undefined): readonly string[] =>
    match === undefined ? [] : [`${what} ${match.kind === 'exact' ? match.value : `${match.kind} ${match.value}`}`]
  return [...shown('subject', subject), ...shown('common name', commonName), ...shown('issuer', issuer)].join(', ')
}
