/** `countersign sign-blob`. */
import { CountersignError } from '@countersign/core/failure'
import { serializeLegacyBundle } from '@countersign/core/bundle/legacy'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { signBlob } from '@countersign/sdk/blob/sign'
import type { SignedBlob } from '@countersign/sdk/sign/requests'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { failedSubject } from '../report/failed-subject.ts'
import type { SubjectReport } from '../report/schema.ts'
import { blobSource, isFolder } from '../signing/blob-source.ts'
import { demandBundle } from '../signing/kept.ts'
import { asksServices, signerFromFlags } from '../signing/signer.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Signs files, each read once. */
export async function signBlobs(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const bundle = flags.text('bundle')
  demandBundle(invocation, subjects.length > 1)
  const folder = await firstFolder(subjects)
  if (bundle !== undefined && (subjects.length > 1 || folder !== undefined))
    return (await import('./sign-blob-together.ts')).signTogether(invocation, bundle)
  if (folder !== undefined)
    throw new CountersignError('usage', `${folder} is a folder`, {
      hint: 'Sign all files in it together with --bundle FILE, or name the files.',
    })
  checkFiles(invocation)
  const signer = signerFromFlags(invocation)
  // Awaited by every file; here only so that a failure before the first is not "unhandled".
  signer.catch(() => undefined)
  // The password may come from stdin, and a file too: first the one, then the other.
  if (subjects.includes('-')) await signer
  const reports: SubjectReport[] = []
  for (const subject of subjects) {
    try {
      reports.push(await signOne(invocation, subject, signer))
    } catch (thrown) {
      // What is wrong with the key is wrong for every file: it is said once.
      await signer
      reports.push(failedSubject(invocation, subject, thrown, subjects.length > 1 ? subject : undefined))
    }
  }
  return { subjects: reports }
}

async function firstFolder(subjects: readonly string[]): Promise<string | undefined> {
  const folders = await Promise.all(subjects.map(isFolder))
  return subjects[folders.indexOf(true)]
}

/** One file holds one signature; of stdin there is only one, and it has no name to put a bundle beside. */
function checkFiles({ flags, subjects }: Invocation): void {
  if (subjects.length === 1) return
  if (flags.text('output-signature') !== undefined) {
    throw new CountersignError('usage', '--output-signature holds one signature, and several files are to be signed', {
      hint: 'Leave it out: each file gets a bundle FILE.sigstore.json beside it, or with --bundle FILE all of them one.',
    })
  }
  if (subjects.includes('-')) {
    throw new CountersignError('usage', 'stdin cannot be one of several files', { hint: 'Sign it alone, with --bundle FILE.' })
  }
}

async function signOne(invocation: Invocation, subject: string, signer: Promise<Signer>): Promise<SubjectReport> {
  const { flags, subjects, terminal } = invocation
  // Else the file is hashed while the key is being opened.
  if (asksServices(flags)) demandBundle(invocation, subjects.length > 1, await signer)
  const { source, end } = await blobSource(terminal, subject, 'signing')
  const signed = await signBlob(source, signer).finally(end)
  const legacy = flags.text('new-bundle-format') === 'false'
  const bundlePath = flags.text('bundle') ?? (subjects.length > 1 && !legacy ? `${subject}.sigstore.json` : undefined)
  const files: string[] = []
  if (bundlePath !== undefined) {
    await writeWhole(
      bundlePath,
      legacy ? serializeLegacyBundle(signed.signature, encodePublicKeyPem((await signer).publicKey)) : signed.bundle,
    )
    terminal.err(`Wrote bundle to file ${bundlePath}\n`)
    files.push(bundlePath)
  }
  files.push(...(await writeSignature(invocation, signed, bundlePath === undefined || legacy)))
  return { subject, ok: true, digest: signed.digest, ...(files.length === 0 ? {} : { files }) }
}

/** The detached signature: to its file, or to stdout when it goes nowhere else; beside a legacy bundle cosign prints it too. */
async function writeSignature({ flags, terminal }: Invocation, signed: SignedBlob, print: boolean): Promise<readonly string[]> {
  const path = flags.text('output-signature')
  const base64 = flags.boolean('b64', true)
  const text = Buffer.from(signed.signature).toString('base64')
  if (path !== undefined) {
    await writeWhole(path, base64 ? text : signed.signature)
    terminal.err(`Wrote signature to file ${path}\n`)
    return [path]
  }
  if (!print) return []
  terminal.out(base64 ? `${text}\n` : signed.signature)
  if (flags.text('bundle') === undefined && flags.text('new-bundle-format') !== 'false')
    terminal.err('Only the signature was made; --bundle FILE.sigstore.json writes a bundle, which verify-blob finds beside FILE\n')
  return []
}
