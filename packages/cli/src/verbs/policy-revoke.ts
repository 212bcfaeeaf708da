/** `countersign policy revoke`. */
import { CountersignError, unreachable } from '@countersign/core/failure'
import { amendRevocations, newRevocationList } from '@countersign/core/policy/revocation-edit'
import {
  revocationListJson,
  type RevocationEntry,
  type RevocationList,
  type RevocationTarget,
} from '@countersign/core/policy/revocation-list'
import { rollbackOf } from '@countersign/core/policy/revocations'
import { timeText } from '@countersign/core/verify/time'
import type { NameMatch } from '@countersign/core/verify/policy'
import { loadPublicKey } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import {
  isSignedBy,
  readRevocations,
  signRevocations,
  type StoredRevocations,
  unsignedRevocations,
  writeRevocations,
} from '@countersign/sdk/policy/revocation-publishing'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { entriesFromFlags } from '../signing/revocation-targets.ts'
import { signerFromFlags } from '../signing/signer.ts'
import { expiryFrom } from '../signing/terms.ts'
import { fileExists, readInput } from '../terminal/input.ts'
import { writeWhole } from '../terminal/output-file.ts'
import { confirm } from '../terminal/prompt.ts'

const maxListBytes = 48 * 1024 * 1024
const defaultLifetimeMs = 30 * 86_400_000

/** Makes, amends, signs or shows one list. */
export async function revoke(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [path = ''] = subjects
  const name = flags.text('new')
  const added = await entriesFromFlags(invocation)
  const changes = name !== undefined || added.length > 0 || flags.text('expires') !== undefined
  if (changes && flags.text('key') === undefined)
    throw new CountersignError('usage', 'a new version must be signed', { hint: 'Give --key; without it the list is only shown.' })
  const before = name === undefined ? await readList(path) : await demandNone(path)
  if (flags.text('key') === undefined) return shown(invocation, path, before as StoredRevocations)
  const signer = await signerFromFlags(invocation)
  const next = changes ? unsignedRevocations(await nextVersion(invocation, before, signer, added)) : (before as StoredRevocations)
  await demandFollows(invocation, next.list)
  if (!changes) await demandConsent(invocation, path, next)
  const signed = await signRevocations(next, signer)
  await writeWhole(path, writeRevocations(signed))
  const what =
    signed === next
      ? 'is signed by this key already'
      : `has ${signed.envelope.signatures.length} ${signed.envelope.signatures.length === 1 ? 'signature' : 'signatures'} now`
  terminal.err(`Version ${signed.list.version} of the revocations ${signed.list.name} ${what}: ${path}\n`)
  return shown(invocation, path, signed)
}

function readList(path: string): Promise<StoredRevocations> {
  return inFile(path, async () => readRevocations(await readInput(path, maxListBytes)))
}

/** A list that is started again would lack all that it revokes. */
async function demandNone(path: string): Promise<undefined> {
  if (!(await fileExists(path))) return undefined
  throw new CountersignError('file_exists', `${path} exists and stays as before`, {
    hint: 'Leave --new out to go on with it, or name another file.',
  })
}

async function nextVersion(
  invocation: Invocation,
  before: StoredRevocations | undefined,
  signer: Signer,
  add: readonly RevocationEntry[],
): Promise<RevocationList> {
  const { flags, terminal } = invocation
  // Whole seconds, as people write times.
  const issuedMs = Math.floor(terminal.nowMs / 1000) * 1000
  const expires = flags.text('expires')
  const lifetimeMs = before === undefined ? defaultLifetimeMs : before.list.expiresMs - before.list.issuedMs
  const expiresMs = expires === undefined ? issuedMs + lifetimeMs : expiryFrom('expires', expires, terminal.nowMs)
  const change = { add, issuedMs, expiresMs }
  if (before === undefined) return newRevocationList(flags.text('new') ?? '', change)
  await demandBelieved(invocation, before, signer)
  return amendRevocations(before.list, change)
}

/** Who signs the next version vouches for all that it takes over: from a file that somebody changed, entries may be gone. */
async function demandBelieved({ flags, terminal }: Invocation, before: StoredRevocations, signer: Signer): Promise<void> {
  const io = nodeKeyIo(terminal.environment)
  const keys = [signer.publicKey]
  for (const reference of flags.list('signer')) keys.push(await inFile(reference, () => loadPublicKey(reference, io)))
  for (const key of keys) if (await isSignedBy(before, key)) return
  throw new CountersignError(
    'revocation_list_unsigned',
    `version ${before.list.version} is signed neither by the key of --key nor by one of --signer`,
    {
      hint: 'Name the public key of somebody who signed it with --signer, or sign this version first.',
    },
  )
}

async function demandFollows({ flags }: Invocation, next: RevocationList): Promise<void> {
  const path = flags.text('after')
  if (path === undefined) return
  const problem = rollbackOf((await readList(path)).list, next)
  if (problem !== undefined) throw new CountersignError(problem.code, problem.detail)
}

/** A signature on what others wrote: the person sees what it is. */
async function demandConsent({ flags, terminal }: Invocation, path: string, { list }: StoredRevocations): Promise<void> {
  if (flags.boolean('yes', false)) return
  terminal.err(listText(path, list, 0))
  if (await confirm(terminal, 'Sign this list?')) return
  throw new CountersignError('usage', `${path} was not signed`, { hint: 'Say yes, or give --yes.' })
}

function shown({ terminal, reportOnStdout }: Invocation, path: string, { list, envelope }: StoredRevocations): Conclusion {
  if (!reportOnStdout) terminal.out(listText(path, list, envelope.signatures.length))
  return { subjects: [{ subject: path, ok: true, content: { list: revocationListJson(list), signatures: envelope.signatures.length } }] }
}

function listText(path: string, list: RevocationList, signatures: number): string {
  const lines = [
    `${path}: revocations ${list.name}, version ${list.version}`,
    `  issued ${timeText(list.issuedMs)}, expires ${timeText(list.expiresMs)}`,
    ...(signatures === 0 ? [] : [`  ${signatures} ${signatures === 1 ? 'signature' : 'signatures'}, not verified here`]),
    ...list.entries.map(entryText),
    ...(list.entries.length === 0 ? ['  revokes nothing'] : []),
  ]
  return `${lines.map(printable).join('\n')}\n`
}

function entryText({ target, effectiveMs, severity, reason }: RevocationEntry): string {
  const since = effectiveMs === undefined ? 'for all time' : `from ${timeText(effectiveMs)}`
  return `  ${severity === 'warn' ? 'warns of' : 'revokes'} ${targetText(target)} ${since}: ${reason}`
}

function targetText(target: RevocationTarget): string {
  const name = ({ kind, value }: NameMatch): string => (kind === 'exact' ? value : `${kind} ${value}`)
  switch (target.kind) {
    case 'key':
      return `key ${target.fingerprint}`
    case 'certificate':
      return `certificates of ${name(target.subject)} by ${name(target.issuer)}`
    case 'logEntry':
      return `entry ${target.index} of log ${target.log}`
    case 'artifact':
      return `artifact ${target.digest}`
    case 'signature':
      return `the signature of ${target.signer} over ${target.content}`
    default:
      return unreachable(target)
  }
}
