/** Sorting the layouts into the two families that a writer knows. */
import type { FoundLayout } from '../verify/requests.ts'

/** True for cosign's legacy layouts; false for Sigstore bundles. */
export function isLegacyLayout(layout: FoundLayout | undefined): boolean {
  return layout === 'legacy-tag' || layout === 'legacy-referrer' || layout === 'legacy-writer-tag'
}

/** True for a legacy signature where every cosign looks, or on its way there; the experimental OCI 1.1 form is not read by default. */
export function isInLegacyTag(layouts: readonly FoundLayout[]): boolean {
  return layouts.includes('legacy-tag') || layouts.includes('legacy-writer-tag')
}

/** True when a signature is only under a writer's own tag: the writer died before the shared index or manifest held it. */
export function isHalfWritten(layouts: readonly FoundLayout[]): boolean {
  return layouts.every((layout) => layout === 'bundle-writer-tag' || layout === 'legacy-writer-tag')
}
