/** The ceremonies of the trust root, as the command line holds them: what is in force, what waits for signatures, files out and back. */
import { readFile } from 'node:fs/promises'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { type TufRole, tufRoles } from '@countersign/core/tuf/model'
import { readTufRoot } from '@countersign/core/tuf/read'
import { validTufSignatures } from '@countersign/core/tuf/sign'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import { expiryWarnings } from '../base/expiry.ts'
import { trustExpiries } from '../trust/expiring.ts'
import { type ProposedKeys, addSignatures, proposeRoot, publishProposals, withdrawProposal } from '../trust/repository/ceremony.ts'
import { type ProposedRole, readProposal } from '../trust/repository/proposals.ts'
import type { RepositoryOptions } from '../trust/repository/repository.ts'
import { openTufSigners } from '../trust/repository/signers.ts'
import { demandState } from '../trust/repository/state.ts'
import { openTrust } from '../trust/trust.ts'
import type { Operator } from './accounts.ts'
import type { OpenInstallation } from './administer.ts'

/** A role of the repository, now. */
export type RoleStatus = {
  readonly role: TufRole
  readonly version: number
  readonly expires: string
  readonly threshold: number
  readonly keys: readonly { readonly id: string; readonly here: boolean }[]
}

/** What waits for signatures. */
export type ProposalStatus = {
  readonly role: ProposedRole
  readonly version: number
  /** Of the keys in force, and of those that are proposed. */
  readonly signatures: number
  readonly threshold: number
}

/** An instance that clients trust, or trusted. */
export type InstanceStatus = {
  readonly id: string
  readonly role: string
  readonly start: string
  readonly end?: string
  /** The first end of a certificate in its chain. */
  readonly certificateEnds?: string
  /** From when it signs, when that is planned. */
  readonly signsFrom?: string
}

/** Everything of it. */
export type TrustStatus = {
  readonly roles: readonly RoleStatus[]
  readonly proposals: readonly ProposalStatus[]
  readonly instances: readonly InstanceStatus[]
  /** What will end, or has: a sentence each, the gravest first. */
  readonly warnings: readonly string[]
}

const proposedRoles = ['root', 'targets'] as const

/** What is in force and what waits. Throws `trust_missing`. */
export async function trustStatus({ platform }: OpenInstallation): Promise<TrustStatus> {
  const { database, keys, clock } = platform
  const state = await demandState(database)
  const signers = await openTufSigners(keys)
  const roles = tufRoles.map((role): RoleStatus => {
    const { threshold, keys: listed } = state.root.roles[role]
    const here = new Set(signers.of(state.root.roles[role]).map(({ publicKey }) => Buffer.from(publicKey.spki).toString('hex')))
    const { version, expiresMs } = state.published[role].metadata
    return {
      role,
      version,
      expires: new Date(expiresMs).toISOString(),
      threshold,
      keys: listed.map(({ id, publicKey }) => ({ id, here: here.has(Buffer.from(publicKey.spki).toString('hex')) })),
    }
  })
  const proposals: ProposalStatus[] = []
  const next = await readProposal(database, 'root')
  for (const role of proposedRoles) {
    const proposal = await readProposal(database, role)
    if (proposal === undefined) continue
    const counting = next === undefined ? state.root.roles[role] : readTufRoot(next.metadata).roles[role]
    const { length } = await validTufSignatures(proposal.metadata, counting, serverPrimitives)
    proposals.push({ role, version: proposal.metadata.version, signatures: length, threshold: counting.threshold })
  }
  const registered = await openTrust({ database, keys, clock }).instances()
  const instances = registered.map(({ id, role, anchor, validFor: { start, end }, signsFromMs }) => ({
    id,
    role,
    start: new Date(start).toISOString(),
    ...(end === undefined ? {} : { end: new Date(end).toISOString() }),
    ...(anchor.kind === 'chain'
      ? { certificateEnds: new Date(Math.min(...anchor.certificates.map((der) => parseCertificate(der).notAfterMs))).toISOString() }
      : {}),
    ...(signsFromMs === undefined || signsFromMs <= clock() ? {} : { signsFrom: new Date(signsFromMs).toISOString() }),
  }))
  const warnings = expiryWarnings(await trustExpiries({ database, keys }, registered), clock())
  return { roles, proposals, instances, warnings }
}

/** Keys of a role by the files that hold them, and how many of them must sign. */
export type KeyFiles = { readonly files: readonly string[]; readonly threshold: number }

/**
 * The file of the proposal that waits for a role. For the root one is made where none waits: with the keys of files for the roles that are named, and
 * a new lifetime. Throws `trust_proposal_missing`, `trust_proposal_exists`, and what reading the files throws.
 */
export async function proposalFile(
  installation: OpenInstallation,
  role: ProposedRole,
  changes: Readonly<Partial<Record<TufRole, KeyFiles>>>,
  operator: Operator,
): Promise<Uint8Array> {
  const options = repositoryOf(installation)
  const waiting = await readProposal(options.database, role)
  const named = Object.keys(changes).length > 0
  if (waiting !== undefined && !named) return waiting.bytes
  if (role === 'targets') {
    throw new CountersignError('trust_proposal_missing', 'no targets wait for signatures', {
      hint: 'They are proposed by what changes them, as countersign key rotate.',
    })
  }
  const keys: Partial<Record<TufRole, ProposedKeys>> = {}
  for (const changed of tufRoles) {
    const files = changes[changed]
    if (files === undefined) continue
    const read = files.files.map(async (path) => parsePublicKeyPem(await readFile(path, 'utf8')))
    keys[changed] = { keys: await Promise.all(read), threshold: files.threshold }
  }
  const bytes = await proposeRoot(options, keys)
  await record(installation, operator, 'trust.proposed', 'root', { roles: Object.keys(keys).join(', ') })
  return bytes
}

/** Takes over the signatures of files that came back; gives how many each proposal has. */
export async function takeSignatures(
  installation: OpenInstallation,
  documents: readonly Uint8Array[],
): Promise<readonly { readonly role: ProposedRole; readonly signatures: number }[]> {
  const taken: { role: ProposedRole; signatures: number }[] = []
  for (const document of documents) taken.push(await addSignatures(repositoryOf(installation), document))
  return taken
}

/** Puts into force what has enough signatures. Throws `trust_threshold_missed` while it has not; nothing has changed then. */
export async function publishTrust(installation: OpenInstallation, operator: Operator): Promise<readonly TufRole[]> {
  const roles = await publishProposals(repositoryOf(installation))
  await record(installation, operator, 'trust.published', roles.join(', '), {})
  return roles
}

/** Gives a proposal up, with its signatures. Throws `trust_proposal_missing`. */
export async function withdrawTrust(installation: OpenInstallation, role: ProposedRole, operator: Operator): Promise<void> {
  await withdrawProposal(repositoryOf(installation), role)
  await record(installation, operator, 'trust.withdrawn', role, {})
}

function repositoryOf({ platform: { database, keys, clock } }: OpenInstallation): RepositoryOptions {
  return { database, keys, clock }
}

async function record(
  { platform }: OpenInstallation,
  { name }: Operator,
  action: string,
  subject: string,
  detail: Readonly<Record<string, string>>,
): Promise<void> {
  await platform.audit.record({ action, subject, actor: `operator ${name}`, from: 'local', outcome: 'done', detail })
}
