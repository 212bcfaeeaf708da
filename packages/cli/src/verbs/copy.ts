/** `countersign copy`. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import type { CopyOnly } from '@countersign/sdk/transport/copy'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { carryImage } from './carry-image.ts'

/** Copies an image, or with `--only` what refers to it. */
export async function copy(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const [subject = '', target = ''] = subjects
  const only = onlyFromFlags(flags)
  return carryImage(invocation, {
    subject,
    source: parseReference(subject),
    destination: parseReference(target),
    ...(only === undefined ? {} : { only }),
  })
}

function onlyFromFlags(flags: FlagValues): readonly CopyOnly[] | undefined {
  const given = [...flags.list('only'), ...(flags.boolean('sig-only', false) ? ['sig'] : [])]
  const only = given.map((name) => {
    if (name === 'sig' || name === 'att' || name === 'sbom') return name
    throw new CountersignError('usage', '--only names nothing that can be copied', { expected: 'sig, att, sbom', found: name.slice(0, 40) })
  })
  return only.length === 0 ? undefined : only
}
