/** `countersign attest`. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { attestImageIn } from '@countersign/sdk/sign/image'
import type { SignedSubject } from '@countersign/sdk/sign/requests'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { forEachImage, reportEvents, writeBundleFile } from '../signing/image-signing.ts'
import { type BegunSigner, layoutFromFlags } from '../signing/signer.ts'
import { asMistake, statementSource } from '../signing/statement-source.ts'

/** Attests something about images. */
export async function attest(invocation: Invocation, key: BegunSigner): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const layout = layoutFromFlags(flags)
  const images = subjects.map((subject) => ({ subject, image: parseReference(subject) }))
  const upload = !flags.boolean('no-upload', false)
  if (flags.text('bundle') !== undefined && (subjects.length > 1 || flags.boolean('recursive', false))) {
    throw new CountersignError('usage', '--bundle holds one attestation, and several would be made', {
      hint: 'Attest one image at a time, without -r.',
    })
  }
  const source = await statementSource(invocation)
  return forEachImage(invocation, key, images, async (image, signer, repositories) => {
    const signed = await attestImageIn(repositories, {
      image,
      signer,
      source,
      layout,
      recursive: flags.boolean('recursive', false),
      upload,
      replace: flags.boolean('replace', false),
      onEvent: reportEvents(terminal, 'attestation'),
    }).catch((thrown: unknown) => {
      throw asMistake(thrown, source)
    })
    const files = await writeBundleFile(invocation, signed)
    if (!upload && files.length === 0) printAttestations(invocation, signed)
    return { signed, files }
  })
}

/** `--no-upload`: one JSON object a line, as stored otherwise. */
function printAttestations({ terminal }: Invocation, signed: readonly SignedSubject[]): void {
  for (const { signatures } of signed) {
    for (const { bytes } of signatures) terminal.out(`${Buffer.from(bytes).toString('utf8').trimEnd()}\n`)
  }
}
