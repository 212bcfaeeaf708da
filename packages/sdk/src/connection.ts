/** How to reach registries; the `--registry-*` flags as a value. */

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
  /** Accept any server certificate. */
  readonly allowInsecure?: boolean
  /** Requests at the same time per host; default 16. */
  readonly parallelism?: number
  /** For the whole run, milliseconds; default 180,000. */
  readonly deadlineMs?: number
  /** The environment to read `DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`, `HTTPS_PROXY` … from. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Product token for the User-Agent header. */
  readonly userAgent?: string
}
