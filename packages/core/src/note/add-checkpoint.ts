/** The request to a witness (c2sp.org/tlog-witness, "add-checkpoint"): old size, consistency proof, empty line, checkpoint. */
import { base64ToBytes, bytesToBase64 } from '../base64.ts'
import { fromUtf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'

/** The request, read. Nothing in it is verified. */
export type AddCheckpoint = {
  /** Size of the tree that the witness cosigned last, as the log believes; 0 for none. */
  readonly oldSize: number
  /** RFC 6962 consistency proof from there, at most 63 hashes. */
  readonly proof: readonly Uint8Array[]
  /** The signed note. */
  readonly note: string
}

/** Bytes of the largest request that is read. */
export const maxAddCheckpointBytes: number = 128 * 1024
const maxProof = 63
const hashBytes = 32

/** Reads the body of a request. Throws `checkpoint_malformed`. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  if (body.length > maxAddCheckpointBytes) throw malformed(`${body.length} bytes`)
  const text = fromUtf8(body)
  const split = text.indexOf('\n\n')
  if (split === -1) throw malformed('no empty line')
  const [first = '', ...lines] = text.slice(0, split).split('\n')
  const old = /^old (0|[1-9][0-9]{0,15})$/.exec(first)
  if (old === null || !Number.isSafeInteger(Number(old[1]))) throw malformed('no old size')
  if (lines.length > maxProof) throw malformed(`${lines.length} hashes`)
  return { oldSize: Number(old[1]), proof: lines.map(readHash), note: text.slice(split + 2) }
}

/** Writes the body of a request. */
export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpoint): string {
  return [`old ${oldSize}`, ...proof.map(bytesToBase64), '', note].join('\n')
}

function readHash(line: string): Uint8Array {
  let hash: Uint8Array
  try {
    hash = base64ToBytes(line)
  } catch (cause) {
    throw new CountersignError('checkpoint_malformed', 'not a request to a witness: a hash is not canonical base64', { cause })
  }
  return hash.length === hashBytes ? hash : malformedHash(hash.length)
}

function malformedHash(length: number): never {
  throw malformed(`a hash of ${length} bytes`)
}

function malformed(detail: string): CountersignError {
  return new CountersignError('checkpoint_malformed', `not a request to a witness: ${detail}`)
}
