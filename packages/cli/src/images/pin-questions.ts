/** Which digest an image is pinned to: verified, or by choice only looked up. */
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { gate } from '@countersign/sdk/discover/bounded'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags, maxWorkers } from '../connection.ts'
import { asFailure, failureText } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import type { SubjectReport } from '../report/schema.ts'
import { verifyImages } from '../verbs/verify.ts'

/** Verifies images as `verify` does; what it would print is left to the report. Without images nothing is asked. */
export async function verifyQuietly(invocation: Invocation, subjects: readonly string[]): Promise<Conclusion> {
  if (subjects.length === 0) return { subjects: [] }
  const terminal = { ...invocation.terminal, out: () => undefined, outIsTerminal: false }
  return verifyImages({ ...invocation, subjects, terminal, reportOnStdout: true })
}

/** What the tags of images mean now, by the bytes that are there; a failure where that cannot be told. */
export async function lookUp(
  invocation: Invocation,
  references: readonly string[],
): Promise<ReadonlyMap<string, Digest | CountersignError>> {
  const run = createRegistryRun(connectionFromFlags(invocation))
  const through = gate(maxWorkers(invocation.flags))
  const found = new Map<string, Digest | CountersignError>()
  const one = async (text: string): Promise<Digest> => {
    const image = parseReference(text)
    const repository = await run.open(image.place)
    const stored = await repository.manifest(image.digest === undefined ? { tag: image.tag ?? 'latest' } : { digest: image.digest })
    if (stored !== undefined) return stored.digest
    throw new CountersignError('artifact_not_found', `${text} does not exist`, {
      hint: 'Check the name, and that you may read the repository.',
    })
  }
  await Promise.all(references.map((text) => through(async () => void found.set(text, await one(text).catch(asFailure)))))
  run.close()
  return found
}

/** The same as reports, for images that are pinned unverified. */
export async function lookUpReports(invocation: Invocation, references: readonly string[]): Promise<readonly SubjectReport[]> {
  const found = await lookUp(invocation, references)
  return references.map((subject) => {
    const digest = found.get(subject)
    if (typeof digest === 'string') return { subject, ok: true, digest }
    const failure = failureText(digest ?? new CountersignError('internal', `${subject} was not looked up`))
    return { subject, ok: false, failure: failureReport(failure) }
  })
}

/** The digest that a report proved, as a digest. */
export function digestOf(report: SubjectReport | undefined): Digest | undefined {
  return report?.ok === true && report.digest !== undefined ? parseDigest(report.digest) : undefined
}
