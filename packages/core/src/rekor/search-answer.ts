/** What a search over logs answers: `GET /rekor2/search` of these services. */
import { parseJsonAs } from '../json/parse.ts'
import { count, documentPlace, isAbsent, items, openMembers, optional, type Place, refuse, text } from '../json/shape.ts'

/** An entry that was found: in which log, the index that its clients ask by, for Rekor v1 its ID, when it was logged, what it is, and who signed. */
export type LoggedHit = {
  readonly log: string
  readonly index: number
  readonly uuid?: string
  /** As `hashedrekord 0.0.2`. */
  readonly kind: string
  /** `sha256:` and hexadecimal digits. */
  readonly digest: readonly string[]
  /** SHA-256 of the signer's PEM in hexadecimal. */
  readonly key: readonly string[]
  /** Names in the signer's certificate, which an authority of the services gave. */
  readonly identity: readonly string[]
  /** Names in a certificate of anybody else: nobody vouches for them. */
  readonly unverifiedIdentity: readonly string[]
  /** RFC 3339. */
  readonly integratedAt: string
}

const maxHits = 1000
const maxNames = 64

/** Reads the answer. `complete` is false when there are more. Throws `service_response_malformed`; members that are not known are passed over. */
export function parseLogSearch(document: Uint8Array): { readonly entries: readonly LoggedHit[]; readonly complete: boolean } {
  const { value } = parseJsonAs('service_response_malformed', 'the answer of the search', document)
  const field = openMembers(documentPlace(value, 'service_response_malformed'))
  const complete = field('complete')
  if (typeof complete.value !== 'boolean') return refuse(complete, 'neither true nor false')
  return { entries: items(field('entries'), maxHits).map(readHit), complete: complete.value }
}

function readHit(at: Place): LoggedHit {
  const field = openMembers(at)
  const texts = (name: string): readonly string[] => (isAbsent(field(name)) ? [] : items(field(name), maxNames).map(text))
  const uuid = optional(field('uuid'), text)
  return {
    log: text(field('log')),
    index: count(field('index')),
    ...(uuid === undefined ? {} : { uuid }),
    kind: text(field('kind')),
    digest: texts('digest'),
    key: texts('key'),
    identity: texts('identity'),
    unverifiedIdentity: texts('unverifiedIdentity'),
    integratedAt: text(field('integratedAt')),
  }
}
