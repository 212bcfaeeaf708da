/** The intermediate that issues, and the chains of all: read from the record, noticed within seconds when the command line changes it. */
import { CountersignError } from '@countersign/core/failure'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { encodePem } from '@countersign/core/pem'
import { fulcioWriter, type FulcioWriter } from '@countersign/core/x509/build-fulcio'
import { parseCertificate } from '@countersign/core/x509/certificate'
import type { Clock } from '../../base/clock.ts'
import { hashBytes } from '../../base/crypto/primitives.ts'
import type { KeyStore, RoleKey } from '../../base/keys/role-key.ts'
import { checkChain, readChain } from './chain.ts'
import type { AuthorityRow, AuthorityTable } from './tables.ts'

/** The authority that issues. */
export type IssuingAuthority = {
  readonly name: string
  readonly key: Pick<RoleKey, 'sign' | 'algorithm' | 'publicKey'>
  /** From the issuer's own certificate to the root, DER; and PEM, one text each. */
  readonly chain: readonly Uint8Array[]
  readonly chainPem: readonly string[]
  /** SHA-256 of the issuer's SPKI. */
  readonly keyHash: Uint8Array
  /** Unix milliseconds: the end of the first certificate that ends. */
  readonly endsAt: number
  readonly writer: FulcioWriter
}

/** The authorities of this installation. */
export type Authorities = {
  /** Rejects with `authority_missing` when none is active, `authority_damaged` when record and key do not belong together. */
  readonly issuing: () => Promise<IssuingAuthority>
  /** Every chain that clients may meet, the active one first: PEM, the intermediate's certificate first. */
  readonly bundle: () => Promise<readonly (readonly string[])[]>
}

const rereadMs = 2_000

/** Opens the authorities on record. Keys are opened once. */
export function openAuthorities({
  table,
  keys,
  now,
}: {
  readonly table: AuthorityTable
  readonly keys: KeyStore
  readonly now: Clock
}): Authorities {
  let rows: { readonly list: Promise<readonly AuthorityRow[]>; readonly until: number } | undefined
  let opened: { readonly row: AuthorityRow; readonly authority: Promise<IssuingAuthority> } | undefined

  const list = (): Promise<readonly AuthorityRow[]> => {
    // A clock that was set back must not keep an old list for longer.
    const leftMs = rows === undefined ? 0 : rows.until - now()
    if (rows !== undefined && leftMs > 0 && leftMs <= rereadMs) return rows.list
    const reading = { list: table.list(), until: now() + rereadMs }
    rows = reading
    reading.list.catch(() => {
      if (rows === reading) rows = undefined
    })
    return reading.list
  }

  return {
    issuing: async () => {
      const row = (await list()).find(({ role, status }) => role === 'intermediate' && status === 'active')
      if (row === undefined)
        throw new CountersignError('authority_missing', 'no intermediate authority is active', {
          hint: 'Make one with countersign ca init.',
        })
      if (opened?.row.name === row.name && opened.row.chain === row.chain) return opened.authority
      const opening = { row, authority: openAuthority(row, keys, now()) }
      opened = opening
      opening.authority.catch(() => {
        if (opened === opening) opened = undefined
      })
      return opening.authority
    },
    bundle: async () => {
      const issuers = (await list()).filter(({ role, status }) => role === 'intermediate' && status !== 'pending')
      const first = issuers.filter(({ status }) => status === 'active')
      return [...first, ...issuers.filter(({ status }) => status !== 'active')].map(({ chain }) => pemTexts(readChain(chain)))
    },
  }
}

async function openAuthority(row: AuthorityRow, keys: KeyStore, nowMs: number): Promise<IssuingAuthority> {
  const key = await keys.open(row.name)
  const chain = readChain(row.chain)
  await demandChain(row, chain, key.publicKey, nowMs)
  const certificates = chain.map(parseCertificate)
  const [own] = certificates
  if (own?.subjectKeyId === undefined) throw damaged(row)
  return {
    name: row.name,
    key,
    chain,
    chainPem: pemTexts(chain),
    keyHash: hashBytes('sha256', own.spki),
    endsAt: Math.min(...certificates.map(({ notAfterMs }) => notAfterMs)),
    writer: fulcioWriter({ name: own.subject.raw, keyId: own.subjectKeyId }, key.algorithm),
  }
}

async function demandChain(row: AuthorityRow, chain: readonly Uint8Array[], key: PublicKey, nowMs: number): Promise<void> {
  try {
    await checkChain(chain, key, nowMs)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw damaged(row, cause)
  }
}

function pemTexts(chain: readonly Uint8Array[]): readonly string[] {
  return chain.map((certificate) => encodePem('CERTIFICATE', certificate))
}

function damaged(row: AuthorityRow, cause?: CountersignError): CountersignError {
  return new CountersignError(
    'authority_damaged',
    `the authority ${row.name} cannot issue${cause === undefined ? '' : `: ${cause.message}`}`,
    {
      ...(cause === undefined ? {} : { cause }),
      hint: 'Restore the data folder from a backup, or make another intermediate with countersign ca intermediate.',
    },
  )
}
