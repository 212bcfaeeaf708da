/** `countersign sign-blob --bundle FILE` with several files or folders: one signature over all of them. */
import { CountersignError } from '@countersign/core/failure'
import { signFiles } from '@countersign/sdk/blob/sign-files'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { namedFiles } from '../signing/many-files.ts'
import { signerFromFlags } from '../signing/signer.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Signs them all with one statement. A file that cannot be read means that nothing is signed. */
export async function signTogether(invocation: Invocation, bundle: string): Promise<Conclusion> {
  const { flags, terminal } = invocation
  if (flags.text('new-bundle-format') === 'false' || flags.text('output-signature') !== undefined) {
    throw new CountersignError('usage', 'one signature over several files exists as a Sigstore bundle alone', {
      hint: 'Leave out --new-bundle-format=false and --output-signature.',
    })
  }
  const signer = signerFromFlags(invocation)
  signer.catch(() => undefined)
  const files = await namedFiles(invocation, [bundle])
  const signed = await signFiles(files, signer)
  await writeWhole(bundle, signed.bundle)
  terminal.err(`Wrote one bundle for ${signed.files.length} file${signed.files.length === 1 ? '' : 's'} to file ${bundle}\n`)
  return {
    subjects: signed.files.map(({ name, digest }, at) => ({ subject: name, ok: true, digest, ...(at === 0 ? { files: [bundle] } : {}) })),
  }
}
