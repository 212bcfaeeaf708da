/** `--type` of the verbs that verify attestations. */
import { CountersignError } from '@countersign/core/failure'
import { predicateTypeOf, predicateTypes } from '@countersign/core/predicate/types'
import type { ContentDemand } from '@countersign/core/verify/policy'
import type { FlagValues } from '../command/flag-values.ts'

/** The demand for an attestation of the type asked for; cosign's default is `custom`. */
export function attestationDemand(flags: FlagValues): ContentDemand {
  return { kind: 'attestation', predicateType: predicateTypeNamed(flags.text('type') ?? 'custom') }
}

/** The predicate type of a name or URI. Throws `usage` for neither. */
export function predicateTypeNamed(name: string, flag = '--type'): string {
  const type = predicateTypeOf(name)
  if (type !== undefined) return type
  throw new CountersignError('usage', `${flag} names no predicate type`, {
    expected: `a URI or one of ${Object.keys(predicateTypes).join(', ')}`,
    found: name.slice(0, 80),
  })
}
