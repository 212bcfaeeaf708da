/** Proofs of inclusion computed from a log's published checkpoint and tiles (c2sp.org/tlog-tiles): what a lost answer held can be had again. */
import { createHash } from 'node:crypto'
import type { InclusionProofClaim } from '@countersign/core/bundle/model'
import { inclusionNodes, proofHashes, type SyncHash } from '@countersign/core/merkle/tree'
import { type Checkpoint, parseCheckpoint } from '@countersign/core/note/checkpoint'
import { parseSignedNote, type SignedNote } from '@countersign/core/note/signed-note'
import { type NodePlace, tileOf } from '@countersign/core/tiles/append'
import { tilePath, tileWidth, widthInTree } from '@countersign/core/tiles/path'
import { hashInTile, readTile, type Tile } from '@countersign/core/tiles/tile'
import type { HttpClient } from '../http/client.ts'
import { deadlineExceeded, pause } from '../http/deadline.ts'
import { askService, malformedAnswer, refusedBy, type ServiceRequest } from './exchange.ts'
import { serviceUrl } from './service-url.ts'

const service = 'the transparency log'
const maxNoteBytes = 65_536
const maxTileBytes = tileWidth * 32
const pollMs = 250
/** Ten seconds lie between two checkpoints of rekor-tiles; a log that needs longer than this has stopped. */
const maxPolls = 120

const hashing: SyncHash = { hash: (algorithm, data) => new Uint8Array(createHash(algorithm).update(data).digest()) }

/** A proof, and the note that it leads to, read but not verified. */
export type TileProof = { readonly proof: InclusionProofClaim; readonly note: SignedNote; readonly origin: string }

/**
 * The proof of the entry with this index, under the first published checkpoint that has it. `url` is the base URL of the log. Nothing is verified
 * here. Throws `service_response_malformed`, `service_refused`, `service_unreachable`; `deadline_exceeded` when no checkpoint comes to have it.
 */
export async function proofFromTiles(client: HttpClient, url: string, index: number): Promise<TileProof> {
  const { text, note, checkpoint } = await checkpointWith(client, url, index)
  const { origin, size, rootHash } = checkpoint
  const nodes = inclusionNodes(index, size)
  const places = new Map(nodes.flat().map((node) => [placeKey(tileOf(node)), tileOf(node)]))
  const tiles = new Map(
    await Promise.all([...places].map(async ([key, place]) => [key, await fetchTile(client, url, place, size)] as const)),
  )
  const hashes = proofHashes(hashing, nodes, (node) => {
    const place = tileOf(node)
    return hashInTile(tiles.get(placeKey(place)) as Tile, place.height, place.position)
  })
  return { proof: { logIndex: index, rootHash, treeSize: size, hashes, checkpoint: text }, note, origin }
}

type ReadCheckpoint = { readonly text: string; readonly note: SignedNote; readonly checkpoint: Checkpoint }

/** A log answers that it has an entry once that is decided, which can be before it is published. */
async function checkpointWith(client: HttpClient, url: string, index: number): Promise<ReadCheckpoint> {
  for (let polls = 0; polls < maxPolls; polls++) {
    const text = new TextDecoder().decode(await fetchFile(client, url, 'checkpoint', maxNoteBytes))
    const note = parseSignedNote(text)
    const checkpoint = parseCheckpoint(note.text)
    if (checkpoint.size > index) return { text, note, checkpoint }
    await pause(pollMs, client.deadline)
    if (client.deadline.remainingMs() === 0) break
  }
  throw deadlineExceeded(client.deadline, 'waiting for a checkpoint of the transparency log')
}

async function fetchTile(client: HttpClient, url: string, { level, index }: NodePlace, size: number): Promise<Tile> {
  const width = widthInTree(size, level, index)
  const path = tilePath({ kind: 'hashes', level, index, width })
  try {
    return readTile(
      hashing,
      await fetchFile(client, url, path, maxTileBytes, tilePath({ kind: 'hashes', level, index, width: tileWidth })),
      width,
    )
  } catch (cause) {
    throw malformedAnswer(service, `the tile ${path}`, cause)
  }
}

/** `instead` is asked for where the file is gone: a partial tile may go once the full one is there, which begins with the same hashes. */
async function fetchFile(client: HttpClient, url: string, path: string, maxBytes: number, instead?: string): Promise<Uint8Array> {
  const request: ServiceRequest = { service, method: 'GET', url: serviceUrl(url, `api/v2/${path}`), repeatable: true, maxBytes }
  const answer = await askService(client, request)
  if (answer.status === 404 && instead !== undefined && instead !== path) return fetchFile(client, url, instead, maxBytes)
  if (answer.status !== 200) throw refusedBy(request, answer)
  return answer.body
}

function placeKey({ level, index }: NodePlace): string {
  return `${level}/${index}`
}
