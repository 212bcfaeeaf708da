/**
 * A witness for other logs (c2sp.org/tlog-witness): it cosigns a tree only if it grew from the one that it cosigned before, so that a log that
 * shows two people two trees needs us for both.
 */
import { bytesToHex, equalBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { verifyConsistency } from '@countersign/core/merkle/proof'
import { emptyRoot } from '@countersign/core/merkle/tree'
import { maxAddCheckpointBytes, parseAddCheckpoint, type AddCheckpoint } from '@countersign/core/note/add-checkpoint'
import { parseCheckpoint, type Checkpoint } from '@countersign/core/note/checkpoint'
import { signNoteText, type NoteSigner } from '@countersign/core/note/sign'
import { parseSignedNote, type SignedNote } from '@countersign/core/note/signed-note'
import { signedBy, type VerifierKey } from '@countersign/core/note/verifier-key'
import { Counter } from 'prom-client'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { Database, Migration } from '../../base/database/database.ts'
import { bodyOf, takeBodies } from '../../base/http/request.ts'
import type { Service } from '../../base/http/service.ts'

/** What a witness is made of. */
export type WitnessOptions = {
  readonly database: Database
  /** Every cosignature that it makes, at least one: Ed25519, and ML-DSA-44 beside it. */
  readonly signers: readonly NoteSigner[]
  /** Their verifier keys, for those who configure this witness. */
  readonly verifierKeys: readonly string[]
  /** The logs that it knows: their names are their origins. One origin with two keys is two logs, as a log and its successor are. */
  readonly logs: readonly VerifierKey[]
}

/** The table of trees that were cosigned. */
export const witnessMigrations: readonly Migration[] = [
  {
    name: 'witness-0001-trees',
    up: async (database, types) => {
      await database.schema
        .createTable('witness_trees')
        .addColumn('log', types.text, (column) => column.primaryKey())
        .addColumn('size', types.integer, (column) => column.notNull())
        .addColumn('root', types.bytes, (column) => column.notNull())
        .execute()
    },
  },
]

/** An answer: status, body, and its type where it is not plain text. */
export type WitnessAnswer = { readonly status: 200 | 400 | 403 | 404 | 409 | 422; readonly body: string; readonly type?: string }

/** `POST /witness/add-checkpoint`, and its verifier keys at `GET /witness/verifier-key`. */
export function witnessService(options: WitnessOptions): Service {
  const counts = new Counter({
    name: 'countersign_witness_requests_total',
    help: 'Checkpoints that logs asked to have cosigned, by the status of the answer',
    labelNames: ['status'],
    registers: [],
  })
  return {
    name: 'witness',
    prefix: '/witness',
    routes: (app) => {
      takeBodies(app, maxAddCheckpointBytes)
      app.get('/verifier-key', async (_, reply) =>
        reply.type('text/plain; charset=utf-8').send(options.verifierKeys.map((key) => `${key}\n`).join('')),
      )
      app.post('/add-checkpoint', async (request, reply) => {
        const { status, body, type } = await addCheckpoint(options, bodyOf(request))
        counts.inc({ status: String(status) })
        return reply
          .code(status)
          .header('cache-control', 'no-store')
          .type(type ?? 'text/plain; charset=utf-8')
          .send(body)
      })
    },
    metrics: (registry) => registry.registerMetric(counts),
  }
}

/** Answers one request, in the order of the specification. The tree is durable before the answer is made. */
export async function addCheckpoint(options: Omit<WitnessOptions, 'verifierKeys'>, body: Uint8Array): Promise<WitnessAnswer> {
  let request: AddCheckpoint
  let note: SignedNote
  let checkpoint: Checkpoint
  try {
    request = parseAddCheckpoint(body)
    note = parseSignedNote(request.note)
    checkpoint = parseCheckpoint(note.text)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return { status: 400, body: `${cause.message}\n` }
  }
  const keys = options.logs.filter(({ name }) => name === checkpoint.origin)
  if (keys.length === 0) return { status: 404, body: 'this witness does not know the log\n' }
  const log = await signerOf(note, keys)
  if (log === undefined) return { status: 403, body: 'the log did not sign this checkpoint\n' }
  if (request.oldSize > checkpoint.size) return { status: 400, body: 'the old size is larger than the new one\n' }
  const last = await lastTree(options.database, log)
  if (request.oldSize !== last.size) return conflict(last.size)
  if (last.size === checkpoint.size && last.size > 0 && !equalBytes(last.rootHash, checkpoint.rootHash)) return conflict(last.size)
  if (!(await grewFrom(last, checkpoint, request.proof))) return { status: 422, body: 'the tree does not grow from the one before\n' }
  if (!(await keepTree(options.database, log, checkpoint, last))) return conflict((await lastTree(options.database, log)).size)
  const lines = await Promise.all(options.signers.map(async (signer) => signNoteText(note.text, signer)))
  return { status: 200, body: lines.join('') }
}

/** The log whose key signed, as its trees are remembered: origin and key, so that nothing of one key stands for another. */
async function signerOf(note: SignedNote, keys: readonly VerifierKey[]): Promise<string | undefined> {
  for (const key of keys) if ((await signedBy(serverPrimitives, note, key)) !== undefined) return `${key.name}+${bytesToHex(key.keyHash)}`
  return undefined
}

type Tree = { readonly size: number; readonly rootHash: Uint8Array }

async function lastTree(database: Database, log: string): Promise<Tree> {
  const [row] = await database.raw.query<{ size: number; root: Uint8Array }>('select size, root from witness_trees where log = ?', [log])
  return row === undefined ? { size: 0, rootHash: new Uint8Array(0) } : { size: row.size, rootHash: row.root }
}

async function grewFrom(last: Tree, checkpoint: Checkpoint, proof: readonly Uint8Array[]): Promise<boolean> {
  if (checkpoint.size === 0 && !equalBytes(checkpoint.rootHash, emptyRoot(serverPrimitives))) return false
  if (last.size === 0 || last.size === checkpoint.size) return proof.length === 0
  const claim = { oldSize: last.size, oldRoot: last.rootHash, newSize: checkpoint.size, newRoot: checkpoint.rootHash, hashes: proof }
  try {
    return await verifyConsistency(serverPrimitives, claim)
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'proof_malformed') return false
    throw cause
  }
}

/** Replaces the tree only if it is still the one from which the proof leads: of two requests at once, one is told of a conflict. */
async function keepTree(database: Database, log: string, { size, rootHash }: Checkpoint, last: Tree): Promise<boolean> {
  if (last.rootHash.length === 0) {
    return (await database.raw.insert('witness_trees', ['log', 'size', 'root'], [[log, size, rootHash]], 'ignore')) === 1
  }
  const text = 'update witness_trees set size = ?, root = ? where log = ? and size = ? and root = ?'
  return (await database.raw.run(text, [size, rootHash, log, last.size, last.rootHash])) === 1
}

function conflict(size: number): WitnessAnswer {
  return { status: 409, body: `${size}\n`, type: 'text/x.tlog.size' }
}
