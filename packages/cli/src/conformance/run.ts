/** Runs one command of the conformance suite: everything must hold, nothing is waived. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import type { TrustedRoot } from '@countersign/core/trust/model'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { Artifact } from '@countersign/core/verify/artifact'
import type { SignerDemand, VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyBundle } from '@countersign/core/verify/verify'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { unreadableFile } from '@countersign/sdk/file-failure'
import { demandFreshSeed, readPublicGoodSeed } from '@countersign/sdk/trust/public-good-seed'
import { readConformanceArguments, type ConformanceRequest } from './arguments.ts'

/** What a run may use of the process. */
export type ConformanceSurroundings = { readonly stderr: (line: string) => void; /** Unix milliseconds. */ readonly nowMs: number }

/** Runs a command line and gives the exit code: 0 when the bundle verifies, 2 for wrong usage, 1 for everything else. */
export async function runConformance(argv: readonly string[], { stderr, nowMs }: ConformanceSurroundings): Promise<number> {
  try {
    const request = readConformanceArguments(argv)
    const result = await verifyBundle(await readBytes(request.bundleFile), {
      artifact: readArtifactArgument(request.artifact),
      policy: policyFor(await readSigner(request.signer)),
      trustedRoot: await readTrust(request, nowMs),
      nowMs,
      primitives: nodePrimitives,
    })
    if (result.ok) return 0
    const { code, detail, expected, found } = result
    stderr(`${code}: ${detail}${expected === undefined ? '' : `; expected ${expected}`}${found === undefined ? '' : `; found ${found}`}`)
    return 1
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    stderr(`${cause.code}: ${cause.message}${cause.hint === undefined ? '' : `\n  ${cause.hint}`}`)
    return cause.code === 'usage' ? 2 : 1
  }
}

/** The suite gives one trusted root and expects every proof, also of signatures with a key. */
function policyFor(signer: SignerDemand): VerifyPolicy {
  const required = { kind: 'required' } as const
  return {
    signer,
    content: { kind: 'any_content' },
    log: required,
    sct: required,
    signedTimestamp: { kind: 'not_demanded' },
    claims: required,
  }
}

async function readSigner(signer: ConformanceRequest['signer']): Promise<SignerDemand> {
  if (signer.kind === 'key') {
    const key = parsePublicKeyPem((await readBytes(signer.file)).toString('utf8'))
    return { kind: 'keys', keys: [{ key, label: signer.file }] }
  }
  const { issuer, subject } = signer
  return { kind: 'identities', identities: [{ issuer: { kind: 'exact', value: issuer }, subject: { kind: 'exact', value: subject } }] }
}

async function readTrust(request: ConformanceRequest, nowMs: number): Promise<TrustedRoot> {
  if (request.trustedRootFile !== undefined) return parseTrustedRoot(await readBytes(request.trustedRootFile))
  const seed = await readPublicGoodSeed()
  demandFreshSeed(seed, nowMs)
  return seed.trustedRoot
}

/** The protocol tells the two apart by their form: a digest, or else a path. */
function readArtifactArgument(argument: string): Artifact {
  const digest = parseDigest(argument)
  return digest === undefined ? { kind: 'stream', stream: readChunks(argument) } : { kind: 'digest', digests: [digest] }
}

async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Uint8Array
  } catch (cause) {
    throw unreadableFile(path, cause)
  }
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw unreadableFile(path, cause)
  }
}
