/** When what clients trust will end, long before it does: for the log, the metrics and the console. */
import { dueExpiries, dueText, type Expiry } from '@countersign/core/expiry/expiry'
import type { TufRole } from '@countersign/core/tuf/model'
import { tufRoles } from '@countersign/core/tuf/model'
import { parseCertificate } from '@countersign/core/x509/certificate'
import type { KeyStore } from '../base/keys/role-key.ts'
import type { Database } from '../base/database/database.ts'
import type { TrustInstance } from './instances.ts'
import { openTufSigners } from './repository/signers.ts'
import { readState } from './repository/state.ts'
import { tufLifetimes } from './repository/repository.ts'

/** Something that ends, and the name under which metrics have it: a role of TUF, or the instance. */
export type TrustExpiry = Expiry & { readonly name: string }

const dayMs = 24 * 60 * 60 * 1000
/** Eight weeks: a ceremony needs people. */
const warnMs = 56 * dayMs

/** Everything that ends, in force now. */
export async function trustExpiries(
  options: { readonly database: Database; readonly keys: KeyStore },
  instances: readonly TrustInstance[],
): Promise<readonly TrustExpiry[]> {
  const state = await readState(options.database)
  if (state === undefined) return []
  const signers = await openTufSigners(options.keys)
  const metadata = tufRoles.map((role) =>
    roleExpiry(role, state.published[role].metadata.expiresMs, signers.suffice(state.root.roles[role])),
  )
  return [...metadata, ...instances.flatMap(certificateExpiry)]
}

function roleExpiry(role: TufRole, endsMs: number, keysHere: boolean): TrustExpiry {
  const what = `the ${role} of the TUF repository`
  if (!keysHere)
    return {
      name: role,
      what,
      endsMs,
      next: `Have a new ${role} signed by the holders of its keys, and publish it; clients refuse everything after that day.`,
    }
  // What renews itself is worth a warning only when it did not.
  const atMostMs = tufLifetimes[role].renewMs - dayMs
  return { name: role, what, endsMs, atMostMs, next: 'It should have renewed itself: look for failures of the renewal in the log.' }
}

function certificateExpiry({ id, role, anchor, validFor }: TrustInstance): readonly TrustExpiry[] {
  // What was closed has had its successor.
  if (anchor.kind !== 'chain' || validFor.end !== undefined) return []
  const endsMs = Math.min(...anchor.certificates.map((der) => parseCertificate(der).notAfterMs))
  const what = `the certificate of the ${role === 'ca' ? 'certificate' : 'timestamp'} authority ${id}`
  return [{ name: id, what, endsMs, next: 'Rotate its key.' }]
}

/** One line for each that ends within eight weeks (or that did not renew itself in time), or has ended; the gravest first. */
export function expiryWarnings(expiries: readonly TrustExpiry[], nowMs: number): readonly string[] {
  const ended = expiries
    .filter(({ endsMs }) => endsMs < nowMs)
    .map(({ what, endsMs, next }) => `ENDED: ${what} ended on ${new Date(endsMs).toISOString().slice(0, 10)}. ${next}`)
  return [...ended, ...dueExpiries(expiries, nowMs, warnMs).map(dueText)]
}
