/** Asks witnesses to cosign our checkpoints (c2sp.org/tlog-witness), all at once and only for so long. */
import { bytesToBase64 } from '@countersign/core/base64'
import { concatBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { formatAddCheckpoint } from '@countersign/core/note/add-checkpoint'
import { formatSignatureLine, parseSignedNote } from '@countersign/core/note/signed-note'
import { signedBy, type VerifierKey } from '@countersign/core/note/verifier-key'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { Cosign } from '../engine/integrate.ts'
import type { PublishedCheckpoint } from '../tree-log.ts'

/** One witness. */
export type Witness = {
  /** To which `/add-checkpoint` is added. */
  readonly url: string
  readonly key: VerifierKey
}

/** What a witness answered. */
export type WitnessReply = { readonly status: number; readonly type: string; readonly body: string }

/** Posts text; gives the answer, of which at most 64 KiB are read. Rejects when there is none before the signal. */
export type PostText = (url: string, body: string, signal: AbortSignal) => Promise<WitnessReply>

/** Which witnesses, and what it means when they do not answer. */
export type WitnessPolicy = {
  readonly witnesses: readonly Witness[]
  /** How many cosignatures are wanted, or which together are enough; the others are served too when they come in time. */
  readonly quorum: number | ((held: readonly Witness[]) => boolean)
  readonly deadlineMs: number
  /** `open`: with fewer, the checkpoint is served as it is. `closed`: with fewer, entries are refused until there are enough. */
  readonly whenFewer: 'open' | 'closed'
  readonly post: PostText
  /** Told of each witness that gave nothing. */
  readonly failed: (witness: Witness, failure: unknown) => void
}

const firstPauseMs = 1_000
const maxPauseMs = 60_000

/** The tree that is to be cosigned, and what proves that it grew from a smaller one. */
type Wanted = { readonly checkpoint: PublishedCheckpoint; readonly consistency: Parameters<Cosign['lines']>[1] }
type Post = (url: string, body: string) => Promise<WitnessReply>
type Memory = { size: number; pauseMs: number; notBefore: number }

/**
 * Makes the engine's hook. A witness that fails is left alone for a growing while, so that a dead one does not
 * hold up every batch. Fails with `log_unavailable` when there are too few and the policy is closed.
 */
export function witnessClient(policy: WitnessPolicy): Cosign {
  const memories = new Map<Witness, Memory>(policy.witnesses.map((witness) => [witness, { size: 0, pauseMs: firstPauseMs, notBefore: 0 }]))
  const ask = async (witness: Witness, wanted: Wanted, post: Post): Promise<string> => {
    const memory = memories.get(witness) as Memory
    if (performance.now() < memory.notBefore) return ''
    try {
      const line = await cosignature(witness, memory, wanted, post)
      memory.pauseMs = firstPauseMs
      return line
    } catch (failure) {
      memory.notBefore = performance.now() + memory.pauseMs
      memory.pauseMs = Math.min(maxPauseMs, 2 * memory.pauseMs)
      policy.failed(witness, failure)
      return ''
    }
  }
  const suffice = (held: readonly Witness[]): boolean => {
    if (policy.whenFewer === 'open') return true
    return typeof policy.quorum === 'number' ? held.length >= policy.quorum : policy.quorum(held)
  }
  return {
    suffices: async (checkpoint) => policy.whenFewer === 'open' || suffice(await holdersOf(policy.witnesses, checkpoint)),
    lines: async (checkpoint, consistency) => {
      const before = await holdersOf(policy.witnesses, checkpoint)
      const signal = AbortSignal.timeout(policy.deadlineMs)
      const post: Post = (url, body) => policy.post(url, body, signal)
      const asked = policy.witnesses.filter((witness) => !before.includes(witness))
      const lines = await Promise.all(asked.map(async (witness) => ask(witness, { checkpoint, consistency }, post)))
      const held = [...before, ...asked.filter((_, at) => lines[at] !== '')]
      if (suffice(held)) return lines.join('')
      throw new CountersignError('log_unavailable', `${held.length} of ${policy.witnesses.length} witnesses have cosigned, too few`)
    },
  }
}

/** The witnesses that have cosigned it. */
async function holdersOf(witnesses: readonly Witness[], { note }: PublishedCheckpoint): Promise<readonly Witness[]> {
  const signed = parseSignedNote(note)
  const held = await Promise.all(witnesses.map(async ({ key }) => (await signedBy(serverPrimitives, signed, key)) !== undefined))
  return witnesses.filter((_, at) => held[at])
}

/** One cosignature; the second try is for a witness that saw another tree of ours last, and says which. */
async function cosignature(witness: Witness, memory: Memory, { checkpoint, consistency }: Wanted, post: Post): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const oldSize = memory.size
    const proof = oldSize === 0 || oldSize === checkpoint.size ? [] : await consistency(oldSize, checkpoint.size)
    const body = formatAddCheckpoint({ oldSize, proof, note: checkpoint.note })
    const reply = await post(`${witness.url.replace(/\/$/, '')}/add-checkpoint`, body)
    if (reply.status === 200) {
      const line = await verifiedLine(witness, checkpoint, reply.body)
      memory.size = checkpoint.size
      return line
    }
    const known = reply.status === 409 && reply.type.startsWith('text/x.tlog.size') ? /^(0|[1-9][0-9]{0,15})\n$/.exec(reply.body) : null
    if (known === null || attempt > 0 || Number(known[1]) > checkpoint.size || Number(known[1]) === oldSize) throw refused(witness, reply)
    memory.size = Number(known[1])
  }
}

/** Only what the witness's key signed over our text is served: anything else would be a stranger's word in our checkpoint. */
async function verifiedLine(witness: Witness, { note }: PublishedCheckpoint, lines: string): Promise<string> {
  const text = parseSignedNote(note).text
  const held = await signedBy(serverPrimitives, parseSignedNote(`${text}\n${lines}`), witness.key)
  if (held === undefined) throw new CountersignError('witness_refused', `${witness.key.name} answered without a cosignature that holds`)
  return formatSignatureLine(witness.key.name, bytesToBase64(concatBytes(witness.key.keyHash, held.signature)))
}

function refused(witness: Witness, { status, body }: WitnessReply): CountersignError {
  return new CountersignError('witness_refused', `${witness.key.name} answered ${status}: ${JSON.stringify(body.slice(0, 200))}`)
}
