/** Everything that came beside a file that a policy judges: a quorum takes more than one bundle. */
import { basename, dirname, join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { evidenceIn, maxBeside } from '@countersign/sdk/batch/evidence'
import type { FileEvidence } from '@countersign/sdk/verify/file-by-policy'
import type { Invocation } from '../command/invocation.ts'
import { asFailure } from '../failure/message.ts'
import { readBlobEvidence } from './blob-evidence.ts'

/** What was found, and what was found and could not be read. */
export type EvidenceBeside = { readonly evidence: readonly FileEvidence[]; readonly unreadable: readonly CountersignError[] }

/**
 * The bundles given, or `--signature`, or else all signatures that lie in its folder, as a batch finds them, by name (`FILE.sigstore.json`,
 * `FILE.NAME.sigstore.json`). None at all is for the policy to judge. More than 64 are `limit_exceeded`, as one that is unreadable.
 */
export async function evidenceBeside(
  invocation: Invocation,
  file: string | undefined,
  bundles: readonly string[],
): Promise<EvidenceBeside> {
  const { flags } = invocation
  const given = bundles.length > 0 || flags.text('signature') !== undefined
  const names: readonly (string | undefined)[] = bundles.length > 0 ? bundles : given ? [undefined] : await bundlesBeside(file)
  const evidence: FileEvidence[] = []
  const unreadable: CountersignError[] = []
  for (const name of names.slice(0, maxBeside)) {
    try {
      const found = await readBlobEvidence(invocation, file, name)
      const { evidence: bytes, ...parts } = found.parts
      evidence.push({ name: found.name, bytes, ...parts })
    } catch (thrown) {
      // What was named must be there; what lies beside the file and cannot be read leaves the question open.
      if (given) throw thrown
      unreadable.push(asFailure(thrown))
    }
  }
  if (names.length > maxBeside) unreadable.push(new CountersignError('limit_exceeded', `${names.length} bundles lie beside ${file ?? ''}`))
  return { evidence, unreadable }
}

async function bundlesBeside(file: string | undefined): Promise<readonly string[]> {
  if (file === undefined || file === '-') {
    throw new CountersignError('usage', 'it is not said where the signatures are', { hint: 'Name the bundles with --bundle.' })
  }
  const [folder, name] = [dirname(file), basename(file)]
  const beside = (await evidenceIn(folder)).get(name) ?? []
  return [...beside].sort().map((one) => join(folder, one))
}
