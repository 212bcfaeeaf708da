/** What `sign` and `attest` have in common: one image after another, progress on stderr, the report. */
import { unreachable } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { SignedSubject, SignEvent } from '@countersign/sdk/sign/requests'
import { createRegistryRun, type RegistryRun } from '@countersign/sdk/open-repository'
import { type ImageRepositories, openImageRepositories } from '@countersign/sdk/sign/repositories'
import type { Signer } from '@countersign/sdk/sign/signer'
import { connectionFromFlags, signatureRepository } from '../connection.ts'
import { needsPrompt } from './password.ts'
import type { BegunSigner } from './signer.ts'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { failedSubject } from '../report/failed-subject.ts'
import type { SubjectReport } from '../report/schema.ts'
import { writeWhole } from '../terminal/output-file.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** An image as typed and as read. */
export type TypedImage = { readonly subject: string; readonly image: ImageReference }

/** What signing one image gave, and the files that were written. */
export type SignedImage = { readonly signed: readonly SignedSubject[]; readonly files: readonly string[] }

/** What every image of a run is signed with: one key, and one set of connections. */
type Session = {
  /** Still opening, unless somebody must be asked for its password. */
  readonly signer: Promise<Signer>
  readonly run: RegistryRun
  readonly repositories: (image: ImageReference) => Promise<ImageRepositories>
}

/** Opening the key takes longer than a registry takes to answer: both happen at the same time. */
async function openSession(invocation: Invocation, key: BegunSigner): Promise<Session> {
  const open = await key
  const signer = open()
  // A prompt has the terminal for itself.
  if (needsPrompt(invocation.terminal)) await signer
  signer.catch(() => undefined)
  const run = createRegistryRun(connectionFromFlags(invocation))
  const elsewhere = signatureRepository(invocation.flags)
  return { signer, run, repositories: (image) => openImageRepositories(run, { image, ...elsewhere }) }
}

/** Signs each image; one that fails does not keep the others from being signed, but the exit code tells. */
export async function forEachImage(
  invocation: Invocation,
  key: BegunSigner,
  images: readonly TypedImage[],
  work: (image: ImageReference, signer: Promise<Signer>, repositories: ImageRepositories) => Promise<SignedImage>,
): Promise<Conclusion> {
  const session = await openSession(invocation, key)
  const subjects: SubjectReport[] = []
  try {
    for (const { subject, image } of images) {
      try {
        subjects.push(signedReport(subject, await work(image, session.signer, await session.repositories(image))))
      } catch (thrown) {
        // What is wrong with the key is wrong for every image: it is said once.
        await session.signer
        subjects.push(failedSubject(invocation, subject, thrown, subject))
      }
    }
  } finally {
    session.run.close()
  }
  return { subjects }
}

function signedReport(subject: string, { signed, files }: SignedImage): SubjectReport {
  const [first] = signed
  return {
    subject,
    ok: true,
    ...(first === undefined ? {} : { reference: first.reference, digest: first.subject.digest }),
    written: signed.flatMap((one) =>
      one.signatures.map((signature) => ({
        layout: signature.layout,
        subject: one.reference,
        alreadyThere: signature.alreadyThere,
        ...(signature.manifest === undefined ? {} : { manifest: signature.manifest }),
      })),
    ),
    ...(files.length === 0 ? {} : { files }),
  }
}

/** Says on stderr what happens in the registry. */
export function reportEvents(terminal: Terminal, what: 'signature' | 'attestation'): (event: SignEvent) => void {
  return (event) => terminal.err(`${eventText(event, what)}\n`)
}

function eventText(event: SignEvent, what: 'signature' | 'attestation'): string {
  switch (event.kind) {
    case 'resolved':
      return `${event.reference} is ${event.digest}; the digest is what is ${what === 'signature' ? 'signed' : 'attested'}`
    case 'signed':
      return `${what === 'signature' ? 'Signed' : 'Attested'} ${event.digest}`
    case 'written':
      return `Wrote the ${event.layout} ${what} ${event.manifest}, read it back and verified it`
    case 'already_signed':
      return `Already there as ${event.layout} ${what} ${event.manifest}; nothing was added`
    case 'fallback_index':
      return `Listed it under the tag ${event.tag}: this registry has no referrers API`
    default:
      return unreachable(event)
  }
}

/** `--bundle FILE`. */
export async function writeBundleFile({ flags, terminal }: Invocation, signed: readonly SignedSubject[]): Promise<readonly string[]> {
  const path = flags.text('bundle')
  const bundle = signed[0]?.signatures.find((signature) => signature.layout === 'bundle')
  if (path === undefined) return []
  if (bundle === undefined) {
    terminal.warn('--bundle has no effect: the legacy layout has no bundle')
    return []
  }
  await writeWhole(path, bundle.bytes)
  terminal.err(`Wrote bundle to file ${path}\n`)
  return [path]
}
