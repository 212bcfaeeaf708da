/** Whether a signature is bound to the name under which an image is verified. */
import { formatPlace, type ImageReference } from '@countersign/core/oci/reference'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'

/** The refusal of a signature that is bound to no name, or to another than the image has here; `name_mismatch`. */
export function nameRefusal(evidence: Pick<Evidence, 'terms' | 'checks'>, image: Pick<ImageReference, 'place'>): Refusal | undefined {
  const found = evidence.terms?.name
  const expected = formatPlace(image.place)
  if (image.place.kind === 'registry' && found === expected) return undefined
  const detail = found === undefined ? 'the signature is not bound to a name' : 'the signature is bound to another name'
  return { ok: false, code: 'name_mismatch', detail, expected, found: found ?? 'none', checks: evidence.checks }
}

/** What to tell a person who did not ask: a signature that holds was made for another name. An image outside of a registry has none to differ. */
export function nameWarning({ terms }: Pick<Evidence, 'terms'>, { place }: Pick<ImageReference, 'place'>): string | undefined {
  if (terms?.name === undefined || place.kind !== 'registry' || terms.name === formatPlace(place)) return undefined
  return `the signature was made for ${terms.name}, and this is ${formatPlace(place)}`
}
