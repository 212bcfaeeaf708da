/** `--policy FILE` of the verbs that verify: each image or file has a verdict, with what was looked at and why. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { gate } from '@countersign/sdk/discover/bounded'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import { judgeImageIn, type ImageVerdict } from '@countersign/sdk/verify/by-policy'
import { type FileEvidence, type FileVerdict, judgeFile } from '@countersign/sdk/verify/file-by-policy'
import type { JudgingRequest } from '@countersign/sdk/verify/judging'
import type { Invocation } from '../command/invocation.ts'
import { maxWorkers, signatureRepository, verifyingConnection, typedImage } from '../connection.ts'
import { evidenceBeside } from '../demands/evidence-beside.ts'
import { failOnWarn } from '../demands/fail-on.ts'
import { judgingFromFlags } from '../demands/judging.ts'
import { asFailure } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { blobSource } from '../signing/blob-source.ts'
import { concludeVerdict } from './verdict-output.ts'

/** Judges all images; never stops at the first that is denied. */
export async function verifyImagesByPolicy(invocation: Invocation, path: string): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const failOn = failOnWarn(flags)
  const { request, report } = await judgingFromFlags(invocation, path, 'image')
  const run = createRegistryRun(verifyingConnection(invocation, subjects.length))
  const through = gate(maxWorkers(flags))
  const verdicts = await Promise.all(
    subjects.map((subject) =>
      through(async (): Promise<ImageVerdict | CountersignError> => {
        try {
          const image = typedImage(flags, subject)
          const repositories = await openImageRepositories(run, { image, ...signatureRepository(flags) })
          return await judgeImageIn(repositories, { image, ...request })
        } catch (thrown) {
          return asFailure(thrown)
        }
      }),
    ),
  )
  run.close()
  return {
    subjects: verdicts.map((verdict, index) => concludeVerdict(invocation, subjects[index] ?? '', verdict)),
    policy: report,
    ...failOn,
  }
}

/** Judges all files, or a digest in place of one. Several bundles given for one file are all of that file. */
export async function verifyFilesByPolicy(invocation: Invocation, path: string, digest?: Digest): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const failOn = failOnWarn(flags)
  const { request, report } = await judgingFromFlags(invocation, path, 'file')
  const bundles = flags.list('bundle')
  if (bundles.length > 0 && subjects.length > 1 && bundles.length !== subjects.length) {
    throw new CountersignError('usage', 'there are not as many bundles as files', {
      expected: `${subjects.length} --bundle`,
      found: `${bundles.length}`,
      hint: 'Put the bundles beside the files as FILE.sigstore.json and FILE.NAME.sigstore.json, or judge one file at a time.',
    })
  }
  if (subjects.length === 0 && digest === undefined)
    throw new CountersignError('usage', 'a policy judges a file, and none is named', { hint: 'Name the file, or give --digest.' })
  const names = subjects.length === 0 ? [digest ?? ''] : subjects
  const through = gate(maxWorkers(flags))
  const verdicts = await Promise.all(
    names.map((name, at) =>
      through(async (): Promise<FileVerdict | CountersignError> => {
        try {
          const given = subjects.length > 1 ? bundles.slice(at, at + 1) : bundles
          const beside = await evidenceBeside(invocation, subjects[at], given)
          return await judgeOne(invocation, name, { ...request, ...beside, ...(digest === undefined ? {} : { digest }) })
        } catch (thrown) {
          return asFailure(thrown)
        }
      }),
    ),
  )
  return { subjects: verdicts.map((verdict, index) => concludeVerdict(invocation, names[index] ?? '', verdict)), policy: report, ...failOn }
}

type Task = JudgingRequest & {
  readonly evidence: readonly FileEvidence[]
  readonly unreadable: readonly CountersignError[]
  readonly digest?: Digest
}

/** The policy sees a path as it was typed, without `./` in front. */
async function judgeOne({ terminal }: Invocation, name: string, { digest, ...task }: Task): Promise<FileVerdict> {
  const path = name.replace(/^(?:\.\/+)+/, '')
  if (digest !== undefined) return judgeFile({ ...task, file: digest, path })
  const { source, end } = await blobSource(terminal, name, 'judging')
  return judgeFile({ ...task, file: source, path }).finally(end)
}
