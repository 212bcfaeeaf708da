/** What may be wrong with how the signatures of an image are stored: each kind with what it means for people, and its repair. */
import type { FailureCode } from '@countersign/core/failure'

/** How grave: `error` hides a signature from somebody, `warning` may, `info` is said for completeness. */
export type Severity = 'error' | 'warning' | 'info'

/** The kinds of findings; each is a code of a failure too. */
export type FindingCode = Extract<
  FailureCode,
  | 'subject_missing'
  | 'fallback_index_malformed'
  | 'fallback_index_missing'
  | 'fallback_entry_missing'
  | 'fallback_entry_dangling'
  | 'fallback_entry_wrong'
  | 'fallback_entry_duplicate'
  | 'referrer_unlisted'
  | 'referrer_malformed'
  | 'referrer_foreign'
  | 'bundle_type_wrong'
  | 'bundle_unusable'
  | 'envelope_key_id'
  | 'signature_foreign'
  | 'signature_empty'
  | 'blob_missing'
  | 'content_altered'
  | 'legacy_tag_malformed'
  | 'legacy_layer_malformed'
  | 'legacy_hidden'
  | 'writer_tag_unmerged'
  | 'layouts_mixed'
>

/** One finding. */
export type Finding = {
  readonly code: FindingCode
  readonly severity: Severity
  /** The tag, digest, or both, that it is about. */
  readonly place: string
  /** What is there. */
  readonly detail: string
  /** Who does not see what. */
  readonly affects: string
  /** What to do about it. */
  readonly repair: string
  /** Whether `--fix` does it: without a key, losing nothing. */
  readonly automatic: boolean
}

type Kind = Omit<Finding, 'code' | 'place' | 'detail'>

const maxDetail = 300

const nobody = 'Nobody can verify it, and tools that meet it may stop there.'
const apiless = 'cosign, oras and everything else that reads the fallback index does not see it; only countersign does.'
const again = 'Have its signer sign again.'

const kinds: Readonly<Record<FindingCode, Kind>> = {
  subject_missing: {
    severity: 'error',
    affects: 'What refers to it takes up room and proves nothing.',
    repair: 'Push the image again, or remove what refers to it with "countersign clean".',
    automatic: false,
  },
  fallback_index_malformed: {
    severity: 'error',
    affects: 'cosign, oras and everything else that reads the fallback index sees no bundle of this image.',
    repair: 'Rebuild the index; what is there now is kept under another tag.',
    automatic: true,
  },
  fallback_index_missing: { severity: 'error', affects: apiless, repair: 'Build the index.', automatic: true },
  fallback_entry_missing: { severity: 'error', affects: apiless, repair: 'Add it to the index.', automatic: true },
  fallback_entry_dangling: {
    severity: 'error',
    affects: 'Tools that fetch what the index lists fail there, or call the image unsigned.',
    repair: 'Take the entry out of the index; if it was a signature, have its signer sign again.',
    automatic: true,
  },
  fallback_entry_wrong: {
    severity: 'warning',
    affects: 'Tools that filter by artifact type (oras discover, Kyverno) do not see it. cosign 3.1 writes such entries.',
    repair: 'Write the entry as the manifest has it.',
    automatic: true,
  },
  fallback_entry_duplicate: {
    severity: 'warning',
    affects: 'Tools may show or count it twice.',
    repair: 'Keep one of the entries.',
    automatic: true,
  },
  referrer_unlisted: {
    severity: 'error',
    affects: 'The registry answers the referrers API without it, so that cosign and oras do not see it.',
    repair: 'Push the manifest again, so that the registry lists it.',
    automatic: true,
  },
  referrer_malformed: { severity: 'error', affects: nobody, repair: again, automatic: false },
  referrer_foreign: {
    severity: 'warning',
    affects: 'It is listed as being about this image, and says that it is about another or none: nobody counts it.',
    repair: 'Look at it with "countersign inspect"; delete it if it is nobody’s.',
    automatic: false,
  },
  bundle_type_wrong: {
    severity: 'error',
    affects: 'cosign and oras do not recognize it as a bundle.',
    repair: 'Write a manifest of the right type around the same bundle.',
    automatic: true,
  },
  bundle_unusable: { severity: 'warning', affects: 'It proves nothing about an image.', repair: again, automatic: false },
  envelope_key_id: {
    severity: 'warning',
    affects: 'cosign 3 refuses an envelope that names a key.',
    repair: 'Write the same bundle without the name, which is not signed.',
    automatic: true,
  },
  signature_foreign: {
    severity: 'warning',
    affects: 'It is a signature of another image and does not count here.',
    repair: again,
    automatic: false,
  },
  signature_empty: { severity: 'error', affects: nobody, repair: again, automatic: false },
  blob_missing: {
    severity: 'error',
    affects: nobody,
    repair: 'Restore the blob from a copy of the repository, or have its signer sign again.',
    automatic: false,
  },
  content_altered: {
    severity: 'error',
    affects: nobody,
    repair: 'Find out who changed it. Restore it from a copy, or have its signer sign again.',
    automatic: false,
  },
  legacy_tag_malformed: {
    severity: 'error',
    affects: 'No tool finds the legacy signatures of this image.',
    repair: 'Look at the tag; delete it or move it to another name, then have its signers sign again.',
    automatic: false,
  },
  legacy_layer_malformed: {
    severity: 'warning',
    affects: 'The other signatures of the tag are still found.',
    repair: again,
    automatic: false,
  },
  legacy_hidden: {
    severity: 'warning',
    affects: 'cosign does not find it without --experimental-oci11, podman and skopeo never do.',
    repair: 'Write the same signature under the tag .sig too.',
    automatic: true,
  },
  writer_tag_unmerged: {
    severity: 'error',
    affects: 'cosign, podman and skopeo do not see it; only countersign does. Its writer was interrupted.',
    repair: 'Merge it into the tag where everybody looks.',
    automatic: true,
  },
  layouts_mixed: {
    severity: 'info',
    affects: 'cosign 3 looks at the bundles alone, podman, CRI-O and skopeo at the legacy signatures alone.',
    repair: 'If each of them is to accept the image, have each signer sign in both layouts: --layout both.',
    automatic: false,
  },
}

/** A finding of a kind. Its detail is from outside, of any length: what is said of it is bounded. */
export function finding(code: FindingCode, place: string, detail: string): Finding {
  return { code, place, detail: detail.length > maxDetail ? `${detail.slice(0, maxDetail)}…` : detail, ...kinds[code] }
}

/** A text that is the same for the same finding of two examinations. */
export function findingKey({ code, place }: Finding): string {
  return `${code} ${place}`
}
