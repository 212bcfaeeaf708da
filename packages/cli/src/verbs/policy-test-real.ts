/** Cases of `policy test` that really verify: an image, layout or archive, or a file with what claims to sign it. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import type { PolicyCase } from '@countersign/core/policy-cases/model'
import type { Verdict } from '@countersign/core/policy/verdict'
import { fileBlobSource } from '@countersign/sdk/blob/source'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import { judgeImageIn } from '@countersign/sdk/verify/by-policy'
import { judgeFile } from '@countersign/sdk/verify/file-by-policy'
import { connectionFromFlags, signatureRepository } from '../connection.ts'
import { judgingFromFlags } from '../demands/judging.ts'
import { readInput } from '../terminal/input.ts'
import type { CaseRun } from './policy-test.ts'

const maxBundleBytes = 32 * 1024 * 1024

/** Fetches, verifies and judges. Throws the failures of reading; what is refused is in the verdict. */
export async function judgeReal(run: CaseRun, { subject, nowMs }: PolicyCase): Promise<Verdict> {
  const { invocation, policyPath, here } = run
  const { request } = await judgingFromFlags(invocation, policyPath, subject.kind === 'real_file' ? 'file' : 'image')
  const around = { ...request, nowMs: nowMs ?? request.nowMs }
  if (subject.kind === 'real_file') {
    const path = here(subject.file)
    const evidence = await Promise.all(subject.bundles.map(async (name) => ({ name, bytes: await readInput(here(name), maxBundleBytes) })))
    const { verdict, failure } = await judgeFile({ file: fileBlobSource(path), path: subject.file, evidence, ...around })
    return verdict ?? unjudged(failure)
  }
  if (subject.kind !== 'real') throw new CountersignError('internal', 'a case that declares its evidence is not really verified')
  const connection = createRegistryRun(connectionFromFlags(invocation))
  try {
    const image = parseReference(relativeTo(subject.image, here))
    const repositories = await openImageRepositories(connection, { image, ...signatureRepository(invocation.flags) })
    const { verdict, failure } = await judgeImageIn(repositories, { image, ...around })
    return verdict ?? unjudged(failure)
  } finally {
    connection.close()
  }
}

/** Layouts and archives are files: beside the document of cases. */
function relativeTo(image: string, here: (path: string) => string): string {
  const match = /^(oci|oci-archive):(.*)$/s.exec(image)
  return match === null ? image : `${match[1] ?? ''}:${here(match[2] ?? '')}`
}

function unjudged(failure: { readonly code: CountersignError['code']; readonly detail: string } | undefined): never {
  throw new CountersignError(failure?.code ?? 'internal', failure?.detail ?? 'there is no verdict')
}
