/** What the four verbs of `attach` have in common. */
import type { ImageReference } from '@countersign/core/oci/reference'
import { parseReference } from '@countersign/core/oci/reference'
import { withImageRepositories } from '@countersign/sdk/sign/repositories'
import { resolveSubject } from '@countersign/sdk/sign/subjects'
import type { Attached, AttachTarget } from '@countersign/sdk/transport/attach'
import type { Invocation } from '../command/invocation.ts'
import { imagePlaces } from '../connection.ts'
import type { Conclusion } from '../report/conclusion.ts'

/** Resolves the image, attaches, and says what was done. */
export async function attachTo(invocation: Invocation, work: (target: AttachTarget) => Promise<readonly Attached[]>): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  const [subject = ''] = subjects
  const image: ImageReference = parseReference(subject)
  return withImageRepositories(imagePlaces(invocation, image), async (source) => {
    const resolved = await resolveSubject(source.images, image)
    const created = `${new Date(terminal.nowMs).toISOString().slice(0, 19)}Z`
    const attached = await work({ source, subject: resolved, created })
    for (const { layout, manifest, alreadyThere } of attached) {
      terminal.out(alreadyThere ? `Already there as ${layout} ${manifest}\n` : `Attached as ${layout} ${manifest}\n`)
    }
    return { subjects: [{ subject, ok: true, digest: resolved.digest, written: attached }] }
  })
}
