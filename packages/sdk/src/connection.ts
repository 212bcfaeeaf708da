/** How to reach registries; the `--registry-*` flags as a value. */

import type { Digest } from '@countersign/core/digest'
import type { Trace } from './trace.ts'

/** Everything that a registry client may need to know; nothing is read from the process behind the caller's back. */
export type Connection = {
  readonly username?: string
  readonly password?: string
  /** Bearer token, sent as is. */
  readonly token?: string
  /** PEM file of additional certificate authorities. */
  readonly caFile?: string
  readonly clientCertificateFile?: string
  readonly clientKeyFile?: string
  readonly serverName?: string
  /** Plain http also off loopback. */
  readonly allowHttp?: boolean
  /** What earlier runs have read, on disk, for verifying alone (see `openDiskCache`). Absent: nothing is kept between runs. */
  readonly cache?: { readonly folder: string; readonly maxBytes?: number; readonly maxRepositories?: number }
  /**
   * Milliseconds. For runs over many images: what was listed at most this long ago (tags of signatures, referrers) need not be asked for
   * again for each. A refusal is always judged on new answers. Absent: every image asks for itself.
   */
  readonly listingAgeMs?: number
  /** The digest of `index.json` in every archive of the run: one that was checked before, and must be the same when it is read again. */
  readonly archiveIndex?: Digest
  /** Accept any server certificate. */
  readonly allowInsecure?: boolean
  /** Requests at the same time per host; default 32. */
  readonly parallelism?: number
  /** For the whole run, milliseconds; default 180,000. */
  readonly deadlineMs?: number
  /** The environment to read `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`, `HTTPS_PROXY` … from. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Hears of every request and every read, see `sdk/trace`. */
  readonly trace?: Trace
  /** Product token for the User-Agent header. */
  readonly userAgent?: string
}
