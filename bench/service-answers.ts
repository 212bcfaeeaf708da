/** Answers of the services, judged as a careful client does: signatures, proofs, and that nothing else was signed than what was asked for. */
import { verify as verifyWith } from 'node:crypto'
import { base64ToBytes } from '@countersign/core/base64'
import { bytesToHex, equalBytes, hexToBytes } from '@countersign/core/bytes'
import { algorithmByName } from '@countersign/core/keys/algorithm'
import { rootFromInclusionProof } from '@countersign/core/merkle/proof'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { verifyCheckpoint, type Checkpoint } from '@countersign/core/note/checkpoint'
import { verifyCtCheckpoint } from '@countersign/core/note/ct-checkpoint'
import { decodePem } from '@countersign/core/pem'
import { parseTimestampResponse } from '@countersign/core/rfc3161/token'
import { verifyTimestamp } from '@countersign/core/rfc3161/timestamp'
import type { LogInstance, TrustedRoot } from '@countersign/core/trust/model'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { encodeMerkleTreeLeaf } from '@countersign/core/x509/ct-leaf'
import { embeddedScts, precertificateTbs, verifyScts } from '@countersign/core/x509/sct'
import { leafIndexOf } from '@countersign/core/x509/sct-encode'
import { hashBytes, serverPrimitives } from '@countersign/server/base/crypto/primitives'
import type { CertificateWish, EntryWish, TimestampWish } from './service-requests.ts'
import { broken, type SeenTree } from './trees-seen.ts'

const primitives = serverPrimitives
const sync = { hash: hashBytes }

/** The three logs of an installation. */
export type LogName = 'rekor1' | 'rekor2' | 'ct'

/** An entry that a log acknowledged, and the tree that it was proven in, where the answer has one. */
export type Acknowledged = { readonly index: number; readonly leafHash: Uint8Array; readonly tree?: SeenTree; readonly id?: string }

/** Judges answers under the trusted root of an installation. Everything that does not hold throws `log_inconsistent`. */
export type Judge = {
  readonly checkpoint: (log: LogName, note: string) => Promise<Checkpoint>
  /** An answer with status 201 from Rekor v2. */
  readonly rekor2: (wish: EntryWish, answer: string) => Promise<Acknowledged>
  /** The object under the ID of an entry, from Rekor v1; `wish` is absent where it was looked up. */
  readonly rekor1: (answer: string, wish?: EntryWish) => Promise<Acknowledged>
  /** The PEM chain of a certificate; the entry of the certificate transparency log that its timestamp promises. */
  readonly certificate: (wish: CertificateWish, chain: string) => Promise<Acknowledged>
  readonly timestamp: (wish: TimestampWish, answer: Uint8Array) => Promise<void>
}

/** Makes the judge of one installation. */
export function judgeOf(root: TrustedRoot, ctOrigin: string): Judge {
  const logs = { rekor1: logOf(root.logs, '/rekor'), rekor2: logOf(root.logs, '/rekor2'), ct: logOf(root.ctLogs, '/ct') }
  const checkpoint: Judge['checkpoint'] = async (log, note) => {
    const instance = logs[log]
    if (log === 'ct') {
      const algorithm = algorithmByName(instance.algorithm) ?? broke('ct: an unknown algorithm')
      return verifyCtCheckpoint(primitives, note, { origin: ctOrigin, publicKey: instance.publicKey, algorithm })
    }
    const verified = await verifyCheckpoint({ envelope: note, log: instance, primitives })
    if (!verified.ok) throw broken(`${log}: ${verified.detail}`)
    return verified.checkpoint
  }
  const proven = async (
    log: LogName,
    body: Uint8Array,
    index: number,
    hashes: readonly Uint8Array[],
    note: string,
  ): Promise<Acknowledged> => {
    const tree = await checkpoint(log, note)
    const leafHash = hashLeaf(sync, body)
    const root = await rootFromInclusionProof(primitives, { leaf: leafHash, index, treeSize: tree.size, hashes })
    if (!equalBytes(root, tree.rootHash)) throw broken(`${log}: the proof of entry ${index} does not lead to its checkpoint`)
    return { index, leafHash, tree }
  }
  return {
    checkpoint,
    rekor2: async (wish, answer) => {
      const { canonicalizedBody, inclusionProof: proof } = JSON.parse(answer) as Rekor2Answer
      const body = base64ToBytes(canonicalizedBody)
      demandSigned(wish, signatureIn(body))
      return proven('rekor2', body, Number(proof.logIndex), proof.hashes.map(base64ToBytes), proof.checkpoint.envelope)
    },
    rekor1: async (answer, wish) => {
      const [[id, entry] = broke('rekor1: an answer without an entry')] = Object.entries(JSON.parse(answer) as Rekor1Answer)
      const body = base64ToBytes(entry.body)
      if (wish !== undefined) demandSigned(wish, signatureIn(body))
      const { inclusionProof: proof } = entry.verification
      return { ...(await proven('rekor1', body, proof.logIndex, proof.hashes.map(hexToBytes), proof.checkpoint)), id }
    },
    certificate: async (wish, chain) => certificateEntry(root, wish, chain),
    timestamp: async (wish, answer) => {
      const response = parseTimestampResponse(answer)
      const result = await verifyTimestamp({ response, message: wish.message, authorities: root.timestampAuthorities, primitives })
      if (!result.ok) throw broken(`tsa: ${result.detail}`)
    },
  }
}

type Rekor2Answer = {
  readonly canonicalizedBody: string
  readonly inclusionProof: {
    readonly logIndex: string
    readonly hashes: readonly string[]
    readonly checkpoint: { readonly envelope: string }
  }
}

type Rekor1Answer = Readonly<
  Record<
    string,
    {
      readonly body: string
      readonly verification: {
        readonly inclusionProof: { readonly logIndex: number; readonly hashes: readonly string[]; readonly checkpoint: string }
      }
    }
  >
>

function logOf(logs: readonly LogInstance[], path: string): LogInstance {
  return (
    logs.find(({ baseUrl }) => new URL(baseUrl).pathname.replace(/\/$/, '') === path) ?? broke(`the trusted root has no log at ${path}`)
  )
}

/** The signature in a canonical body: what was logged is what the key of the wish signed. */
function signatureIn(body: Uint8Array): Uint8Array {
  const found = /"(?:content|signature)":"([A-Za-z0-9+/]{80,100}={0,2})"/.exec(Buffer.from(body).toString())?.[1]
  return base64ToBytes(found ?? broke('a logged entry has no signature'))
}

function demandSigned({ message, publicKey }: EntryWish, signature: Uint8Array): void {
  if (!verifyWith('sha256', message, publicKey, signature)) throw broken('an entry was logged that nobody signed')
}

async function certificateEntry(root: TrustedRoot, { email, spki }: CertificateWish, chain: string): Promise<Acknowledged> {
  const [leaf = broke('no certificate'), issuer = broke('no issuer')] = decodePem(chain, 'CERTIFICATE').map(({ bytes }) =>
    parseCertificate(bytes),
  )
  const names = leaf.alternativeNames.map((name) => JSON.stringify('value' in name ? name.value : '')).join(', ')
  if (names !== JSON.stringify(email) || !equalBytes(leaf.spki, new Uint8Array(spki)))
    throw broken(`a certificate for ${names} that nobody asked for`)
  const [result] = await verifyScts({ leaf, issuerSpki: issuer.spki, ctLogs: root.ctLogs, primitives })
  if (result?.ok !== true) throw broken(`the timestamp in a certificate does not hold: ${result?.reason ?? 'there is none'}`)
  const [sct = broke('no timestamp')] = embeddedScts(leaf)
  const index = leafIndexOf(sct.extensions) ?? broke('a timestamp without an index')
  const issuerKeyHash = hashBytes('sha256', issuer.spki)
  const signed = { kind: 'precertificate', issuerKeyHash, tbs: precertificateTbs(leaf), precertificate: new Uint8Array() } as const
  const leafBytes = encodeMerkleTreeLeaf({ timestampMs: sct.timestampMs, index, signed, chain: [] })
  return { index, leafHash: hashLeaf(sync, leafBytes), id: bytesToHex(leaf.serial) }
}

function broke(detail: string): never {
  throw broken(detail)
}
