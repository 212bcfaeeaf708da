/** Which of several refusals is said first: the one that the user can do something about. */
import { outcomeOf } from '@countersign/core/failure'
import type { Refusal } from '@countersign/core/verify/evidence'
import type { ImageVerification } from '@countersign/sdk/verify/requests'

type Refused = Pick<ImageVerification, 'failure'> & { readonly rejected: readonly { readonly refusal: Refusal }[] }

/**
 * Why an image was refused. An attestation of another type beside the one that was asked for explains nothing: where one of the right type was
 * refused for as grave a reason, that reason is the answer.
 */
export function headline({ failure, rejected }: Refused): Refusal | undefined {
  if (failure?.code !== 'predicate_mismatch') return failure
  const closer = rejected.find(({ refusal }) => refusal.code !== 'predicate_mismatch' && outcomeOf(refusal.code) === 'unacceptable')
  return closer?.refusal ?? failure
}

/** The line that follows a message about one of several; empty when there was one only. */
export function othersLine({ rejected }: Pick<ImageVerification, 'rejected'>, what: 'signature' | 'attestation'): string {
  return rejected.length < 2 ? '' : `  It is one of ${rejected.length} ${what}s, none acceptable; --report text says why of each.\n`
}
