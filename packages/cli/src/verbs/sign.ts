/** `countersign sign`. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { signImageIn } from '@countersign/sdk/sign/image'
import type { SignedSubject } from '@countersign/sdk/sign/requests'
import type { Invocation } from '../command/invocation.ts'
import { annotationsFromFlags } from '../demands/policy.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { type BegunSigner, layoutFromFlags } from '../signing/signer.ts'
import { forEachImage, reportEvents, writeBundleFile } from '../signing/image-signing.ts'
import { termsFromFlags } from '../signing/terms.ts'
import { signedParts } from '../signing/parts.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Signs images. */
export async function sign(invocation: Invocation, key: BegunSigner): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const layout = layoutFromFlags(flags)
  const annotations = Object.fromEntries(annotationsFromFlags(flags.list('annotations')))
  const images = subjects.map((subject) => ({ subject, image: parseReference(subject) }))
  const terms = termsFromFlags(invocation)
  const upload = flags.boolean('upload', true)
  const identity = flags.text('sign-container-identity')
  const files = ['bundle', 'output-signature', 'output-payload'].filter((name) => flags.text(name) !== undefined)
  if (!upload && files.length === 0) {
    throw new CountersignError('usage', '--upload=false would make a signature and throw it away', { hint: 'Keep it with --bundle FILE.' })
  }
  demandOneImage(invocation, files)
  return forEachImage(invocation, key, images, async (image, signer, repositories) => {
    const signed = await signImageIn(repositories, {
      image,
      signer,
      layout,
      recursive: flags.boolean('recursive', false),
      upload,
      annotations,
      terms,
      onEvent: reportEvents(terminal, 'signature'),
      ...(identity === undefined ? {} : { containerIdentity: identity }),
    })
    return { signed, files: await writeFiles(invocation, signed) }
  })
}

/** One file holds one signature: a second would silently replace the first. */
function demandOneImage({ flags, subjects }: Invocation, files: readonly string[]): void {
  const [file] = files
  if (file === undefined || (subjects.length === 1 && !flags.boolean('recursive', false))) return
  throw new CountersignError('usage', `--${file} holds one signature, and several would be made`, {
    hint: 'Sign one image at a time, without -r.',
  })
}

async function writeFiles(invocation: Invocation, signed: readonly SignedSubject[]): Promise<readonly string[]> {
  const { flags, terminal } = invocation
  const written: string[] = [...(await writeBundleFile(invocation, signed))]
  const signature = signed[0]?.signatures[0]
  if (signature === undefined) return written
  for (const name of ['output-signature', 'output-payload'] as const) {
    const path = flags.text(name)
    if (path === undefined) continue
    const parts = signedParts(signature)
    await writeWhole(path, name === 'output-signature' ? Buffer.from(parts.signature).toString('base64') : parts.payload)
    terminal.err(`Wrote ${name === 'output-signature' ? 'signature' : 'payload'} to file ${path}\n`)
    written.push(path)
  }
  return written
}
