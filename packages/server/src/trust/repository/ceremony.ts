/**
 * Ceremonies: root and targets signed by keys that are elsewhere (TUF specification 1.0.31 §6.1, §6.2).
 *
 *  1. `proposeRoot` or `proposeTargets` writes down what shall be in force, signed by those keys that are here.
 *  2. The file of the proposal goes to the holders of keys; each signs it offline (`signTufFile` of core) and gives it back.
 *  3. `addSignatures` keeps those signatures that hold, by keys that count.
 *  4. `publishProposals` puts all that has enough signatures into force at once, with the snapshot and timestamp over it. Before that line
 *     nothing has changed for any client; a crash in between leaves the proposals.
 */
import { CountersignError } from '@countersign/core/failure'
import type { PublicKey } from '@countersign/core/keys/public-key'
import type { TufMetadata, TufRole, TufRoleKeys, TufRoot } from '@countersign/core/tuf/model'
import { parseTufMetadata, readTufRoot, readTufTargets } from '@countersign/core/tuf/read'
import { signTufContent, validTufSignatures, withSignature } from '@countersign/core/tuf/sign'
import { encodeTufMetadata, rootContent, targetsContent, tufKey } from '@countersign/core/tuf/write'
import { tufRoles } from '@countersign/core/tuf/model'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { TargetFile } from '../targets.ts'
import {
  contentText,
  createProposal,
  dropProposals,
  noProposal,
  readProposal,
  replaceProposal,
  type Proposal,
  type ProposedRole,
} from './proposals.ts'
import { contents, describe, nextVersions, renewedTargets, signAbove, tufLifetimes, type RepositoryOptions } from './repository.ts'
import { openTufSigners, thresholdMissed, type Signing, type TufSigners } from './signers.ts'
import { demandState, publish, type RepositoryState } from './state.ts'

/** Keys of a role, and how many of them must sign. */
export type ProposedKeys = { readonly keys: readonly PublicKey[]; readonly threshold: number }

/**
 * Proposes the next root: with other keys for the roles that are named, and a new lifetime. Gives the file to be signed. Where the role `targets`
 * gets keys that are not here, a proposal of the same targets comes with it. Throws `trust_proposal_exists`, `tuf_malformed`.
 */
export async function proposeRoot(
  options: RepositoryOptions,
  change: Readonly<Partial<Record<TufRole, ProposedKeys>>>,
): Promise<Uint8Array> {
  const state = await demandState(options.database)
  const nowMs = options.clock()
  const roles: Record<TufRole, TufRoleKeys> = { ...state.root.roles }
  for (const role of tufRoles) {
    const wanted = change[role]
    if (wanted === undefined) continue
    roles[role] = {
      keys: await Promise.all(wanted.keys.map((key) => tufKey(key, serverPrimitives))),
      threshold: wanted.threshold,
    }
  }
  const root: TufRoot = { version: state.root.version + 1, expiresMs: nowMs + tufLifetimes.root.validMs, roles }
  const signers = await openTufSigners(options.keys)
  for (const role of ['snapshot', 'timestamp'] as const) {
    // These are signed by the server every day.
    if (!signers.suffice(roles[role])) throw thresholdMissed(role, signers.of(roles[role]).length, roles[role].threshold)
  }
  const bytes = await signedHere(rootContent(root), [state.root.roles.root, roles.root], signers)
  const fitting = await enough(state.published.targets.metadata, roles.targets)
  await createProposal(options.database, { role: 'root', bytes, files: new Map(), createdMs: nowMs })
  if (!fitting && !signers.suffice(roles.targets) && (await readProposal(options.database, 'targets')) === undefined) {
    await proposeSameTargets(options, state, [roles.targets])
  }
  return bytes
}

/** Proposes targets. Gives the file to be signed. Throws `trust_proposal_exists`. */
export async function proposeTargets(options: RepositoryOptions, files: ReadonlyMap<string, TargetFile>): Promise<Uint8Array> {
  const state = await demandState(options.database)
  const nowMs = options.clock()
  const version = state.published.targets.metadata.version + 1
  const content = targetsContent(version, nowMs + tufLifetimes.targets.validMs, describe(files))
  const bytes = await signedHere(content, await countingKeys(options, state, 'targets'), await openTufSigners(options.keys))
  await createProposal(options.database, { role: 'targets', bytes, files: contents(files), createdMs: nowMs })
  return bytes
}

async function proposeSameTargets(options: RepositoryOptions, state: RepositoryState, keys: readonly TufRoleKeys[]): Promise<void> {
  const { metadata } = state.published.targets
  const nowMs = options.clock()
  const content = targetsContent(metadata.version + 1, nowMs + tufLifetimes.targets.validMs, readTufTargets(metadata))
  const bytes = await signedHere(content, keys, await openTufSigners(options.keys))
  await createProposal(options.database, { role: 'targets', bytes, files: new Map(), createdMs: nowMs })
}

async function signedHere(content: TufMetadata['content'], roles: readonly TufRoleKeys[], signers: TufSigners): Promise<Uint8Array> {
  let signatures: TufMetadata['signatures'] = []
  for (const key of new Set(roles.flatMap((role) => signers.of(role)))) {
    signatures = withSignature(signatures, await signTufContent(content, key, serverPrimitives))
  }
  return encodeTufMetadata(content, signatures)
}

/** Whose signatures count for a proposal: the role's keys now, and in the root that is proposed. */
async function countingKeys(options: RepositoryOptions, state: RepositoryState, role: ProposedRole): Promise<readonly TufRoleKeys[]> {
  const proposed = await readProposal(options.database, 'root')
  const next = proposed === undefined ? [] : [readTufRoot(proposed.metadata).roles[role]]
  return [state.root.roles[role], ...next]
}

/**
 * Takes over the signatures of a file that came back. Hostile: the file may come from anyone; only signatures that hold over what was proposed,
 * by keys that count, are kept. Gives how many it has now. Throws `trust_proposal_missing`, `tuf_malformed`, `tuf_unsigned` when it
 * brings none that counts, `trust_changed_meanwhile` when it signs something else than what is proposed.
 */
export async function addSignatures(options: RepositoryOptions, document: Uint8Array): Promise<{ role: ProposedRole; signatures: number }> {
  const given = parseTufMetadata(document)
  const role = given.role === 'root' || given.role === 'targets' ? given.role : undefined
  const proposal = role === undefined ? undefined : await readProposal(options.database, role)
  if (role === undefined || proposal === undefined) throw noProposal(role ?? 'root')
  if (contentText(given.content) !== contentText(proposal.metadata.content)) {
    throw new CountersignError('trust_changed_meanwhile', `the file is not the proposal for the role ${role} that waits`, {
      hint: 'Take the file of the proposal again, and have that signed.',
    })
  }
  const keys = await countingKeys(options, await demandState(options.database), role)
  const counting = new Set<string>()
  for (const each of keys) for (const { id } of await validTufSignatures(given, each, serverPrimitives)) counting.add(id)
  const known = new Map(proposal.metadata.signatures.map(({ keyId, signature }) => [keyId, signature]))
  const added = given.signatures.filter(({ keyId, signature }) => counting.has(keyId) && known.get(keyId) !== signature)
  if (added.length === 0) {
    throw new CountersignError('tuf_unsigned', `the file has no new signature by a key of the role ${role}`, {
      hint: 'Sign it with a key that the root, or the root that is proposed, names for this role.',
    })
  }
  let { signatures } = proposal.metadata
  for (const signature of added) signatures = withSignature(signatures, signature)
  const bytes = encodeTufMetadata(proposal.metadata.content, signatures)
  if (await replaceProposal(options.database, proposal, bytes)) return { role, signatures: signatures.length }
  throw changed()
}

/** Withdraws a proposal. Throws `trust_proposal_missing`. */
export async function withdrawProposal(options: RepositoryOptions, role: ProposedRole): Promise<void> {
  if ((await readProposal(options.database, role)) === undefined) throw noProposal(role)
  await options.database.transaction((transaction) => dropProposals(transaction.withTables(), [role]))
}

/**
 * Publishes the proposals: a root needs the signatures that the root before and it itself demand (§5.3.4), targets those that the root then in
 * force demands. Gives the roles that changed. Throws `trust_proposal_missing`, `trust_threshold_missed`, `trust_changed_meanwhile`.
 */
export async function publishProposals(options: RepositoryOptions): Promise<readonly TufRole[]> {
  const state = await demandState(options.database)
  const [rootProposal, targetsProposal] = [await readProposal(options.database, 'root'), await readProposal(options.database, 'targets')]
  if (rootProposal === undefined && targetsProposal === undefined) throw noProposal('root')
  const root = rootProposal === undefined ? state.root : await demandRoot(state.root, rootProposal)
  const signers = await openTufSigners(options.keys)
  const nowMs = options.clock()
  const signing: Signing = { root, signers, nowMs }
  const metadata: { role: TufRole; bytes: Uint8Array }[] = rootProposal === undefined ? [] : [{ role: 'root', bytes: rootProposal.bytes }]
  const targets = await nextTargets(state, signing, targetsProposal)
  if (targets.changed) metadata.push({ role: 'targets', bytes: targets.bytes })
  metadata.push(...(await signAbove(signing, targets, nextVersions(state))))
  const roles: ProposedRole[] = [...(rootProposal ? (['root'] as const) : []), ...(targets.proposed ? (['targets'] as const) : [])]
  const files = targets.proposed && targetsProposal !== undefined ? targetsProposal.files : new Map<string, Uint8Array>()
  if (!(await publish(options.database, { metadata, files }, nowMs, (sql) => dropProposals(sql, roles)))) throw changed()
  return metadata.map(({ role }) => role)
}

async function demandRoot(before: TufRoot, proposal: Proposal): Promise<TufRoot> {
  const root = readTufRoot(proposal.metadata)
  if (root.version !== before.version + 1) throw changed()
  for (const role of [before.roles.root, root.roles.root]) {
    const { length } = await validTufSignatures(proposal.metadata, role, serverPrimitives)
    if (length < role.threshold) throw thresholdMissed('root', length, role.threshold)
  }
  return root
}

type NextTargets = { readonly version: number; readonly bytes: Uint8Array; readonly changed: boolean; readonly proposed: boolean }

/** The proposed targets when they have enough signatures; those before where they still hold; signed anew where the keys are here. */
async function nextTargets(state: RepositoryState, signing: Signing, proposal: Proposal | undefined): Promise<NextTargets> {
  const { root, signers } = signing
  const role = root.roles.targets
  const { metadata, bytes } = state.published.targets
  if (proposal !== undefined && (await enough(proposal.metadata, role))) {
    return { version: proposal.metadata.version, bytes: proposal.bytes, changed: true, proposed: true }
  }
  const onlyTargets = root === state.root
  if (!onlyTargets && (await enough(metadata, role))) return { version: metadata.version, bytes, changed: false, proposed: false }
  if (onlyTargets || !signers.suffice(role)) {
    const found = proposal === undefined ? 0 : (await validTufSignatures(proposal.metadata, role, serverPrimitives)).length
    throw thresholdMissed('targets', found, role.threshold)
  }
  return { ...(await renewedTargets(state, signing)), changed: true, proposed: false }
}

async function enough(metadata: TufMetadata, role: TufRoleKeys): Promise<boolean> {
  return (await validTufSignatures(metadata, role, serverPrimitives)).length >= role.threshold
}

function changed(): CountersignError {
  return new CountersignError('trust_changed_meanwhile', 'the repository changed meanwhile, and nothing was published', {
    hint: 'Propose again on what is in force now.',
  })
}
