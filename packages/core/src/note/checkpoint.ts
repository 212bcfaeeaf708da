/** C2SP checkpoints (c2sp.org/tlog-checkpoint@v1): what a log says about itself, and the check that it said so. */
import { base64ToBytes } from '../base64.ts'
import { equalBytes, utf8 } from '../bytes.ts'
import { CountersignError, type FailureCode } from '../failure.ts'
import { algorithmByName } from '../keys/algorithm.ts'
import type { Primitives } from '../primitives.ts'
import type { LogInstance } from '../trust/model.ts'
import { noteKeyId } from './key-id.ts'
import { parseSignedNote, type NoteSignature, type SignedNote } from './signed-note.ts'

/** The body of a checkpoint. */
export type Checkpoint = {
  readonly origin: string
  /** Leaves in the tree. */
  readonly size: number
  readonly rootHash: Uint8Array
  /** Lines after the root hash, whose meaning is the log's own. */
  readonly extensions: readonly string[]
}

const rootHashBytes = 32
const maxExtensions = 32
/** A log signs once; others may share the four bytes of its hint. Hostile: a hundred lines of its name would be a hundred signatures to verify. */
const maxCandidates = 8

/** Reads a note's text as a checkpoint. Throws `checkpoint_malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  if (!text.endsWith('\n')) throw malformed('the last line does not end')
  const [origin, size, root, ...extensions] = text.slice(0, -1).split('\n')
  if (origin === undefined || origin === '') throw malformed('no origin')
  // Leading zeros would be a second spelling of one size.
  if (size === undefined || !/^(?:0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) throw malformed('no tree size')
  if (root === undefined) throw malformed('no root hash')
  if (extensions.includes('') || extensions.length > maxExtensions) throw malformed('an empty extension line, or too many of them')
  return { origin, size: Number(size), rootHash: readRootHash(root), extensions }
}

/** The text of a checkpoint, as a log signs it. */
export function formatCheckpoint(origin: string, size: number, encodedRootHash: string, extensions: readonly string[] = []): string {
  return [origin, String(size), encodedRootHash, ...extensions].map((line) => `${line}\n`).join('')
}

/** A checkpoint under a valid signature of its log, or why it is not. */
export type CheckpointVerification =
  | {
      readonly ok: true
      readonly checkpoint: Checkpoint
      /** The name in the signature line that held. */
      readonly keyName: string
      /** Signature lines other than the one that held: witnesses, other keys of the log. Nothing about them is verified. */
      readonly otherSignatures: number
    }
  | { readonly ok: false; readonly code: FailureCode; readonly detail: string; readonly expected?: string; readonly found?: string }

/** What {@link verifyCheckpoint} takes. */
export type CheckpointRequest = {
  /** The signed note, whole, as the bundle carries it. */
  readonly envelope: string
  /** The log, from the trusted root. */
  readonly log: LogInstance
  readonly primitives: Pick<Primitives, 'hash' | 'verify'>
}

/**
 * Verifies that the log signed the checkpoint: at least one signature line with the log's name and key hash must hold.
 *
 * The name of a Rekor v2 log is the host of its base URL in the trusted root, and its origin line is that name. A Rekor v1 log names itself
 * in the origin, followed by ` - <tree ID>`; its configured name need not be the host under which it is reached, so that there the key alone,
 * which signs the origin, tells the logs apart. Lines of other names or keys are ignored, as the note format demands: they may be
 * witnesses whose keys nobody gave us. Refuses with `checkpoint_invalid`; malformed input is a refusal too.
 */
export async function verifyCheckpoint(request: CheckpointRequest): Promise<CheckpointVerification> {
  let note: SignedNote
  let checkpoint: Checkpoint
  try {
    note = parseSignedNote(request.envelope)
    checkpoint = parseCheckpoint(note.text)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return { ok: false, code: 'checkpoint_invalid', detail: cause.message }
  }
  const name = shardName(checkpoint.origin) ?? logName(request.log)
  if (name === undefined) return refused(`the trusted root gives no host for the log: ${JSON.stringify(request.log.baseUrl)}`)
  if (shardName(checkpoint.origin) === undefined && checkpoint.origin !== name) {
    return refused('the checkpoint is of another log', name, checkpoint.origin.slice(0, 200))
  }
  const keyHash = await keyHashOf(request, name)
  const candidates = note.signatures.filter((line) => line.name === name && equalBytes(line.keyHash, keyHash))
  if (candidates.length === 0) {
    const names = note.signatures.map((line) => line.name).join(', ')
    return refused('no signature line names the key of the log', name, names.slice(0, 200))
  }
  if (candidates.length > maxCandidates) return refused(`${candidates.length} signatures of one key`, `at most ${maxCandidates}`)
  for (const line of candidates) {
    if (await holds(request, note, line)) {
      return { ok: true, checkpoint, keyName: line.name, otherSignatures: note.signatures.length - 1 }
    }
  }
  return refused(`the signature of ${name} does not hold`)
}

/** The key name of a log: the host of its base URL, without port and path; `undefined` when it has none. */
export function logName(log: Pick<LogInstance, 'baseUrl'>): string | undefined {
  return /^https?:\/\/(\[[0-9a-f:.]+\]|[^/:?#@\s]+)(?::[0-9]+)?(?:[/?#]|$)/i.exec(log.baseUrl)?.[1]?.toLowerCase()
}

/** The name in an origin of Rekor v1, `<name> - <tree ID>`; `undefined` for any other origin. */
export function shardName(origin: string): string | undefined {
  return /^(\S{1,255}) - [0-9]{1,20}$/.exec(origin)?.[1]
}

async function keyHashOf({ log, primitives }: CheckpointRequest, name: string): Promise<Uint8Array> {
  return (await noteKeyId(primitives, name, log.publicKey)).slice(0, 4)
}

async function holds({ log, primitives }: CheckpointRequest, note: SignedNote, line: NoteSignature): Promise<boolean> {
  const algorithm = algorithmByName(log.algorithm)
  return algorithm !== undefined && (await primitives.verify(algorithm, log.publicKey, utf8(note.text), line.signature))
}

function readRootHash(encoded: string): Uint8Array {
  let hash: Uint8Array
  try {
    hash = base64ToBytes(encoded)
  } catch (cause) {
    throw new CountersignError('checkpoint_malformed', 'not a checkpoint: the root hash is not canonical base64', { cause })
  }
  if (hash.length !== rootHashBytes) throw malformed(`a root hash of ${hash.length} bytes`)
  return hash
}

function malformed(detail: string): CountersignError {
  return new CountersignError('checkpoint_malformed', `not a checkpoint: ${detail}`)
}

function refused(detail: string, expected?: string, found?: string): CheckpointVerification {
  const parts = { ...(expected === undefined ? {} : { expected }), ...(found === undefined ? {} : { found }) }
  return { ok: false, code: 'checkpoint_invalid', detail: `checkpoint: ${detail}`, ...parts }
}
