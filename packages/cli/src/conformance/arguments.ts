/** Command lines of the Sigstore conformance suite (sigstore/sigstore-conformance, docs/cli_protocol.md). */
import { parseArgs } from 'node:util'
import { CountersignError } from '@countersign/core/failure'

/** What `verify-bundle` is asked. */
export type ConformanceRequest = {
  readonly bundleFile: string
  readonly signer:
    | { readonly kind: 'key'; readonly file: string }
    | { readonly kind: 'identity'; readonly subject: string; readonly issuer: string }
  /** Absent: the built-in root of the public-good instance. */
  readonly trustedRootFile?: string
  /** A path, or `sha256:` and hex. */
  readonly artifact: string
}

const synopsis =
  'countersign-conformance verify-bundle --bundle FILE (--certificate-identity ID --certificate-oidc-issuer URL | --key PEM) [--trusted-root FILE] FILE_OR_DIGEST'

/** Reads a command line. Throws `usage`, or `not_supported` for `sign-bundle` and for the staging instance, whose root is not built in. */
export function readConformanceArguments(argv: readonly string[]): ConformanceRequest {
  const [verb, ...rest] = argv
  if (verb === 'sign-bundle') {
    throw new CountersignError('not_supported', 'keyless signing is not supported yet', {
      hint: 'Sign with a key: countersign sign-blob --key.',
    })
  }
  if (verb !== 'verify-bundle') throw usage(verb === undefined ? 'no command' : `unknown command ${verb}`)
  const { values, positionals } = readOptions(rest)
  const [artifact, ...more] = positionals
  if (artifact === undefined || more.length > 0) throw usage('expected one file or digest')
  if (values.bundle === undefined) throw usage('--bundle is missing')
  if (values.staging === true && values['trusted-root'] === undefined) {
    throw new CountersignError('not_supported', 'the trusted root of the staging instance is not built in', {
      hint: 'Give it with --trusted-root.',
    })
  }
  const trustedRoot = values['trusted-root']
  return {
    bundleFile: values.bundle,
    signer: readSigner(values.key, values['certificate-identity'], values['certificate-oidc-issuer']),
    ...(trustedRoot === undefined ? {} : { trustedRootFile: trustedRoot }),
    artifact,
  }
}

type Options = {
  readonly values: {
    readonly bundle?: string
    readonly key?: string
    readonly staging?: boolean
    readonly 'certificate-identity'?: string
    readonly 'certificate-oidc-issuer'?: string
    readonly 'trusted-root'?: string
  }
  readonly positionals: readonly string[]
}

function readOptions(argv: readonly string[]): Options {
  const text = { type: 'string' } as const
  const options = {
    bundle: text,
    key: text,
    staging: { type: 'boolean' },
    'certificate-identity': text,
    'certificate-oidc-issuer': text,
    'trusted-root': text,
  } as const
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true })
  } catch (cause) {
    throw new CountersignError('usage', cause instanceof Error ? cause.message : String(cause), { hint: synopsis, cause })
  }
}

function readSigner(key: string | undefined, subject: string | undefined, issuer: string | undefined): ConformanceRequest['signer'] {
  if (key !== undefined && subject === undefined && issuer === undefined) return { kind: 'key', file: key }
  if (key === undefined && subject !== undefined && issuer !== undefined) return { kind: 'identity', subject, issuer }
  throw usage('expected either --key or both --certificate-identity and --certificate-oidc-issuer')
}

function usage(detail: string): CountersignError {
  return new CountersignError('usage', detail, { hint: synopsis })
}
