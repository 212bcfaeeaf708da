/** Verifies one file of a run. */
import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { dirname, sep } from 'node:path'
import { type Digest, digestAlgorithm, digestFromBytes } from '@countersign/core/digest'
import { CountersignError, gravity, outcomeOf } from '@countersign/core/failure'
import type { Refusal, Verification } from '@countersign/core/verify/evidence'
import { asAbsence, namingEvidence } from '../blob/absence.ts'
import { hashSource } from '../blob/hash.ts'
import { openSharedBundle, type SharedBundle } from '../blob/shared-bundle.ts'
import { bytesBlobSource, fileBlobSource } from '../blob/source.ts'
import { verifyBlob } from '../blob/verify.ts'
import type { BlobSource } from '../sign/requests.ts'
import { unreadableFile } from '../file-failure.ts'
import { anchoredAs } from '../verify/anchored.ts'
import { judgeFile } from '../verify/file-by-policy.ts'
import { findEvidence, readEvidence } from './evidence.ts'
import { type ItemVerdict, type Judge, refused } from './judge.ts'
import type { ChecksumList, FileItem } from './model.ts'
import type { Once } from './once.ts'

/** What all files of a run share. */
export type FileRun = {
  /** Also holds which signatures lie in which folder. */
  readonly once: Once
  /** Paths of signatures that vouch for several files: each is read and proven once. */
  readonly shared: ReadonlySet<string>
  /** Unix milliseconds. */
  readonly nowMs: number
}

/** Verifies a file: its own signature, or that of the list that gives its digest. Throws what reading it throws. */
export async function verifyFile(run: FileRun, item: FileItem, judge: Judge): Promise<ItemVerdict> {
  const { listed, bytes, evidence, path } = item
  if (bytes !== undefined && evidence.kind === 'files') return verifyList(run, { path, bytes, evidence: evidence.paths }, judge)
  if (item.at !== undefined) await demandFile(path)
  if (listed === undefined) return verifySigned(run, item, judge, fileBlobSource(path))
  await demandInside(item.path, listed.list.path)
  if (listed.list.evidence !== undefined) return verifyListed(run, item, listed.digest, listed.list, judge)
  return verifyUnsignedList(run, item, listed.digest, listed.list, judge)
}

/** The list is not signed: each file needs a signature of its own, and must be the one that is listed besides. */
async function verifyUnsignedList(run: FileRun, item: FileItem, expected: Digest, list: ChecksumList, judge: Judge): Promise<ItemVerdict> {
  const tapped = tapDigest(fileBlobSource(item.path), expected)
  const result = await verifySigned(run, item, judge, tapped.source).catch((cause: unknown) => {
    if (cause instanceof CountersignError && cause.code === 'no_signature') return cause
    throw cause
  })
  const unsigned = result instanceof CountersignError
  // Without a signature nobody has read it; that it is altered says more than that it is not signed.
  const found =
    tapped.found() ?? (unsigned || !result.ok ? await hashSource(fileBlobSource(item.path), digestAlgorithm(expected)) : undefined)
  if (found !== expected) return refused(notListed(item, expected, found), found === undefined ? {} : { digest: found })
  if (!unsigned) return result
  const { message, expected: names } = result
  throw new CountersignError('no_signature', message, {
    cause: result,
    ...(names === undefined ? {} : { expected: names }),
    hint: `Sign each file, or the list itself: ${list.path}.sigstore.json beside it vouches for all that it lists.`,
  })
}

async function verifySigned(run: FileRun, item: FileItem, judge: Judge, source: BlobSource): Promise<ItemVerdict> {
  if (judge.kind === 'policy') return judgeSigned(run, item, judge, source)
  const names = await findEvidence(item.path, item.evidence, run.once)
  const rejected: { readonly refusal: Refusal }[] = []
  for (const name of names) {
    const result = namingEvidence(asAbsence(await verifyWith(run, name, judge, source), judge.policy.content), name)
    if (result.ok) {
      const { evidence } = result
      const digest = evidence.artifact === undefined ? {} : { digest: evidence.artifact }
      return { ok: true, ...digest, accepted: [{ evidence }], rejected, unreadable: [] }
    }
    rejected.push({ refusal: result })
  }
  const [worst] = rejected.toSorted((a, b) => rank(a.refusal) - rank(b.refusal))
  if (worst === undefined) throw new CountersignError('no_signature', `${item.path} has no signature`)
  return { ...refused(worst.refusal), rejected }
}

function rank({ code }: Refusal): number {
  return gravity.indexOf(outcomeOf(code))
}

type By<Kind extends Judge['kind']> = Extract<Judge, { readonly kind: Kind }>

async function verifyWith(run: FileRun, name: string, judge: By<'demands'>, artifact: BlobSource): Promise<Verification> {
  const request = { policy: judge.policy, ...anchoredAs(judge), nowMs: run.nowMs }
  if (!run.shared.has(name)) return verifyBlob({ artifact, evidence: await readEvidence(name), ...request })
  const open = async (): Promise<SharedBundle> => openSharedBundle({ evidence: await readEvidence(name), ...request })
  return (await run.once(JSON.stringify(['bundle', name, judge.id]), open)).verify(artifact)
}

/** A policy counts all signatures, and says itself what it makes of none. */
async function judgeSigned(run: FileRun, item: FileItem, judge: By<'policy'>, file: BlobSource): Promise<ItemVerdict> {
  const { policy, revocations } = judge
  const names = await findEvidence(item.path, item.evidence, run.once).catch((cause: unknown) => {
    if (cause instanceof CountersignError && cause.code === 'no_signature') return []
    throw cause
  })
  const evidence = await Promise.all(names.map(async (name) => ({ name, bytes: await readEvidence(name) })))
  const path = item.path.replace(/^(?:\.\/+)+/, '')
  const judged = await judgeFile({ file, path, evidence, policy, revocations, ...anchoredAs(judge), nowMs: run.nowMs })
  const rejected = judged.rejected.map(({ refusal }) => ({ refusal }))
  return { ...judged, accepted: judged.accepted.map(({ evidence: proven }) => ({ evidence: proven })), rejected }
}

/** Whoever signed the list vouches for the digest; that the file has it is for us to see. */
async function verifyListed(run: FileRun, item: FileItem, expected: Digest, list: ChecksumList, judge: Judge): Promise<ItemVerdict> {
  const found = await hashSource(fileBlobSource(item.path), digestAlgorithm(expected))
  if (found !== expected) return refused(notListed(item, expected, found), found === undefined ? {} : { digest: found })
  const proven = await verifyList(run, list, judge)
  const listedIn = list.path
  if (proven.ok) return { ...proven, digest: expected, listedIn }
  const { failure } = proven
  if (failure === undefined) throw new CountersignError('internal', 'a list was refused without a reason')
  return { ...proven, digest: expected, listedIn, failure: { ...failure, detail: `${list.path}: ${failure.detail}` } }
}

/** The list itself: the bytes that its digests were taken from. */
export function verifyList(run: FileRun, list: ChecksumList, judge: Judge): Promise<ItemVerdict> {
  const { path, bytes } = list
  const item: FileItem = { kind: 'file', subject: path, path, bytes, demands: {}, evidence: { kind: 'files', paths: list.evidence ?? [] } }
  return run.once(JSON.stringify(['list', path, judge.id]), () => verifySigned(run, item, judge, bytesBlobSource(path, bytes)))
}

function notListed({ path, listed }: FileItem, expected: Digest, found: Digest | undefined): Refusal {
  const list = listed?.list.path ?? ''
  return {
    ok: false,
    code: 'artifact_altered',
    detail: `${path} is not the file that ${list} lists`,
    expected,
    ...(found === undefined ? {} : { found }),
    checks: [],
  }
}

/** Hashes what passes through, so that a file is read once for its signature and for its digest in a list. */
function tapDigest(inner: BlobSource, expected: Digest): { readonly source: BlobSource; readonly found: () => Digest | undefined } {
  const algorithm = digestAlgorithm(expected)
  let found: Digest | undefined
  const open = async function* (): AsyncGenerator<Uint8Array, void, void> {
    const hash = createHash(algorithm)
    for await (const chunk of inner.open()) {
      hash.update(chunk)
      yield chunk
    }
    found = digestFromBytes(algorithm, hash.digest())
  }
  return { source: { ...inner, open }, found: () => found }
}

/** A pipe or device that a file names may never end, or never begin. What is typed may be one: `<(…)` of a shell is. */
async function demandFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadableFile(path, cause)
  })
  if (found.isFile()) return
  throw new CountersignError('io_failed', `${path} is ${found.isDirectory() ? 'a folder' : 'no regular file'}`, {
    hint: 'Name files alone.',
  })
}

/** Hostile: the list chose the name. Links in the folder must not lead out of it. */
async function demandInside(path: string, list: string): Promise<void> {
  const real = await realpath(path).catch(() => undefined)
  if (real === undefined) throw new CountersignError('file_not_found', `no such file: ${path}`)
  const folder = await realpath(dirname(list))
  if (!real.startsWith(folder === sep ? sep : folder + sep))
    throw new CountersignError('path_escape', `${path} leads out of the folder of ${list}`)
}
