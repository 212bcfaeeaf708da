/** When what clients trust will end, long before it does: for the log, the metrics and the console. */
import type { Expiry } from '@countersign/core/expiry/expiry'
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
  return [...metadata, ...certificateExpiries(instances)]
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

/** A root is said once, though several chains lead to it. */
function certificateExpiries(instances: readonly TrustInstance[]): readonly TrustExpiry[] {
  const found = new Map<string, TrustExpiry>()
  for (const { id, role, anchor, validFor } of instances) {
    // What was closed has had its successor.
    if (anchor.kind !== 'chain' || validFor.end !== undefined) continue
    const of = `${role === 'ca' ? 'certificate' : 'timestamp'} authority`
    for (const [at, der] of anchor.certificates.entries()) {
      const own = at === 0
      const endsMs = parseCertificate(der).notAfterMs
      const expiry = own
        ? { name: id, what: `the certificate of the ${of} ${id}`, endsMs, next: `Rotate its key: countersign key rotate ${role}.` }
        : { name: `${id}-issuer-${at}`, what: `a certificate above the ${of} ${id}`, endsMs, next: nextRoot[role === 'ca' ? 'ca' : 'tsa'] }
      const known = own ? id : Buffer.from(der).toString('base64')
      if (!found.has(known)) found.set(known, expiry)
    }
  }
  return [...found.values()]
}

const nextRoot = {
  ca: 'Have the next intermediate signed by another root: countersign ca csr and ca import.',
  tsa: 'Begin another timestamp authority before, and have its chain in the trust root beside this one.',
}
