/** Bounds of one discovery. A bound that is hit is "could not tell" (`limit_exceeded`), never "unsigned"; what was read before it counts. */

/** How much of a repository one discovery reads for one subject. */
export type DiscoveryLimits = {
  /** Manifests listed by one source (referrers answer, fallback index, writer tags). */
  readonly maxReferrers: number
  /** Tags read while looking for writer tags. */
  readonly maxTags: number
  /** Signatures in all manifests together: one manifest may hold many, and many manifests the same. Half of it for manifests of more than 16. */
  readonly maxLayers: number
  /** Bytes of one bundle, payload or envelope. */
  readonly maxBundleBytes: number
  /** Bytes of all of them and of their manifests. At most half of it goes to those beyond 1 MiB. */
  readonly maxTotalBytes: number
  /** Requests under way at the same time, beyond the first listing calls. */
  readonly parallelism: number
}

const mebibyte = 1024 * 1024

/** The bounds in force when the caller names none: cosign's 128 MiB for one attachment, 5,000 signatures, 100,000 tags. */
export const defaultDiscoveryLimits: DiscoveryLimits = {
  maxReferrers: 5_000,
  maxTags: 100_000,
  maxLayers: 5_000,
  maxBundleBytes: 128 * mebibyte,
  maxTotalBytes: 512 * mebibyte,
  parallelism: 16,
}
