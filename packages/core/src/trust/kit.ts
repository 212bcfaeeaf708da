/** What a client needs beside trusted root and signing config: keys and certificates one by one, and gitsign's environment (gitsign reads no TUF mirror of ours for signing). */
import { utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { encodePublicKeyPem } from '../keys/public-key.ts'
import { encodePem } from '../pem.ts'
import type { AuthorityInstance, LogInstance, TrustedRoot } from './model.ts'
import type { SigningConfig, SigningService } from './signing-config.ts'

/** The trust and the services of one installation. */
export type KitSource = { readonly root: TrustedRoot; readonly config: SigningConfig }

/**
 * Keys and certificates by file name, those that are in use now: `rekor.pub` (Rekor v1), `rekor2.pub`, `ctfe.pub`, `fulcio.pem` (every authority,
 * roots and intermediates), `tsa.pem`. Older ones are in the trusted root; what an installation has not, has no file.
 */
export function kitFiles({ root, config }: KitSource): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  const addKey = (name: string, logs: readonly LogInstance[]): void => {
    const log = newest(logs)
    if (log !== undefined) files.set(name, utf8(encodePublicKeyPem(log.publicKey)))
  }
  const addChains = (name: string, authorities: readonly AuthorityInstance[]): void => {
    const blocks = authorities.flatMap(({ certificates }) => certificates.map((der) => encodePem('CERTIFICATE', der)))
    if (blocks.length > 0) files.set(name, utf8([...new Set(blocks)].join('')))
  }
  const logsOf = (version: number): readonly LogInstance[] => {
    const urls = config.logUrls.filter((service) => service.majorApiVersion === version).map(({ url }) => url)
    return root.logs.filter(({ baseUrl }) => urls.includes(baseUrl))
  }
  addKey('rekor.pub', logsOf(1))
  addKey('rekor2.pub', logsOf(2))
  addKey('ctfe.pub', root.ctLogs)
  addChains('fulcio.pem', root.certificateAuthorities)
  const stamping = newest(root.timestampAuthorities)
  addChains('tsa.pem', stamping === undefined ? [] : [stamping])
  return files
}

/** The one that is open and began last; of none that is open, the one that began last. */
function newest<T extends { readonly validFor: { readonly start: number; readonly end?: number } }>(
  instances: readonly T[],
): T | undefined {
  const open = instances.filter(({ validFor }) => validFor.end === undefined)
  return (open.length > 0 ? open : instances).toSorted((a, b) => b.validFor.start - a.validFor.start)[0]
}

/** The environment of gitsign 0.16 as variables: files by their place, services by their URL. Absent services have no variable. */
export function gitsignVariables(config: SigningConfig, fileAt: (name: string) => string): ReadonlyMap<string, string> {
  const url = (services: readonly SigningService[], version: number): string | undefined =>
    services.find(({ majorApiVersion, validFor }) => majorApiVersion === version && validFor.end === undefined)?.url
  const [fulcio, rekor, issuer] = [url(config.caUrls, 1), url(config.logUrls, 1), url(config.oidcUrls, 1)]
  return new Map([
    ['SIGSTORE_ROOT_FILE', fileAt('fulcio.pem')],
    ['SIGSTORE_CT_LOG_PUBLIC_KEY_FILE', fileAt('ctfe.pub')],
    ['SIGSTORE_REKOR_PUBLIC_KEY', fileAt('rekor.pub')],
    ...(fulcio === undefined ? [] : [['GITSIGN_FULCIO_URL', fulcio] as const]),
    ...(rekor === undefined ? [] : [['GITSIGN_REKOR_URL', rekor] as const]),
    ...(issuer === undefined ? [] : [['GITSIGN_OIDC_ISSUER', issuer] as const]),
    ['GITSIGN_OIDC_CLIENT_ID', 'sigstore'],
  ])
}

/** `env.sh` for a kit in one folder, an absolute path. Throws `usage` for a path that is not absolute or has a line break. */
export function gitsignEnvironment(config: SigningConfig, folder: string): string {
  if (!folder.startsWith('/') || /[\n\r\0]/.test(folder)) {
    throw new CountersignError('usage', 'the folder of a kit is named by an absolute path', { found: JSON.stringify(folder.slice(0, 120)) })
  }
  const variables = gitsignVariables(config, (name) => `${folder.replace(/\/+$/, '')}/${name}`)
  const lines = [...variables].map(([name, value]) => `export ${name}=${shellQuoted(value)}`)
  return ['# gitsign signs and verifies with this installation: . this file', ...lines, ''].join('\n')
}

/** A word for a POSIX shell, whatever is in it. */
export function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_/.:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
