/** `countersign tree`. */
import { formatPlace, parseReference } from '@countersign/core/oci/reference'
import { type Accessory, listTree } from '@countersign/sdk/discover/accessories'
import { withImageRepositories } from '@countersign/sdk/sign/repositories'
import { resolveSubject } from '@countersign/sdk/sign/subjects'
import type { Invocation } from '../command/invocation.ts'
import { imagePlaces } from '../connection.ts'
import { failureLine, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'

/** Shows everything that refers to an image, of every layout. What cannot be read is said, and exits as "could not tell". */
export async function tree(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  const [subject = ''] = subjects
  const image = parseReference(subject)
  return withImageRepositories(imagePlaces(invocation, image), async ({ images, signatures }) => {
    const { digest } = await resolveSubject(images, image)
    const { accessories, unreadable } = await listTree(signatures, { digest })
    terminal.out(`${formatPlace(image.place)}@${digest}\n`)
    const last = unreadable.length === 0 ? accessories.length - 1 : -1
    for (const [at, accessory] of accessories.entries()) terminal.out(accessoryText(accessory, at === last))
    for (const failure of unreadable) terminal.out(`└── not readable: ${failureLine(failureText(failure))}\n`)
    if (accessories.length === 0 && unreadable.length === 0) terminal.out('└── nothing refers to it\n')
    const failures = unreadable.map((failure) => failureReport(failureText(failure)))
    const [failure] = failures
    const common = { subject, ok: failure === undefined, digest, content: accessories, unreadable: failures }
    return { subjects: [failure === undefined ? common : { ...common, failure }] }
  })
}

function accessoryText({ kind, type, detail, places, manifest, blob }: Accessory, last: boolean): string {
  const stem = last ? '    ' : '│   '
  const head = `${last ? '└──' : '├──'} ${kind} ${printable(detail ?? type)}\n${stem}└── ${places.join(', ')}: ${manifest}\n`
  return blob === undefined ? head : `${head}${stem}    └── ${blob}\n`
}
