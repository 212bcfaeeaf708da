/**
 * Which trusted root is in force: a flag or the profile, certificates given as PEM, and for keyless verification alone the folder that
 * `cosign initialize` fills and the public-good seed. What lies around on a machine never changes a verification with a key.
 */
import { CountersignError } from '@countersign/core/failure'
import type { Expiry } from '@countersign/core/expiry/expiry'
import type { TrustedRoot } from '@countersign/core/trust/model'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import type { PolicyReport } from '../report/schema.ts'
import { readInput } from '../terminal/input.ts'

/** A trusted root and where it came from. */
export type SelectedTrust = {
  readonly root: TrustedRoot
  /** True when a flag or the profile names it: with a key it then demands a log entry. */
  readonly named: boolean
  readonly report: NonNullable<PolicyReport['trust']>
  /** What of its own ends, beside what is in it: the metadata that came with it. */
  readonly expiries?: readonly Expiry[]
}

/** Variables by which cosign replaces single anchors. */
const foreignVariables = [
  'SIGSTORE_ROOT_FILE',
  'SIGSTORE_REKOR_PUBLIC_KEY',
  'SIGSTORE_CT_LOG_PUBLIC_KEY_FILE',
  'SIGSTORE_TSA_CERTIFICATE_FILE',
]
/** `--trusted-root public-good` names the built-in trusted root. */
const publicGood = 'public-good'
const maxBytes = 8 * 1024 * 1024
const pemFlags = ['ca-roots', 'ca-intermediates', 'certificate-chain', 'timestamp-certificate-chain'] as const

/**
 * Finds the trusted root, and warns when something in it ends soon; `undefined` when a key is verified and none is named.
 * Throws `trust_missing`, `trust_stale`, `trusted_root_malformed`.
 */
export async function selectTrust(invocation: Invocation, keyed: boolean): Promise<SelectedTrust | undefined> {
  const selected = await findTrust(invocation, keyed)
  if (selected === undefined) return undefined
  const [{ trustedRootExpiries }, { warnOfExpiry }] = await Promise.all([import('@countersign/core/expiry/expiry'), import('./expiry.ts')])
  warnOfExpiry(invocation, [...trustedRootExpiries(selected.root), ...(selected.expiries ?? [])])
  return selected
}

async function findTrust({ flags, terminal }: Invocation, keyed: boolean): Promise<SelectedTrust | undefined> {
  const path = flags.text('trusted-root')
  const pem = pemFlags.filter((name) => flags.text(name) !== undefined)
  if (path !== undefined) {
    if (pem[0] !== undefined) {
      throw new CountersignError('usage', `--trusted-root and --${pem[0]} contradict each other`, {
        hint: 'Put the certificates into the trusted root: "countersign trusted-root create".',
      })
    }
    if (path === publicGood) return (await import('./seed.ts')).namedSeedTrust(terminal.nowMs)
    const root = await inFile(path, async () => parseTrustedRoot(await readInput(path, maxBytes)))
    return { root, named: true, report: { source: flags.source('trusted-root') ?? 'flag', name: path } }
  }
  if (pem.length > 0) {
    const { trustedRootFromPem } = await import('./from-pem.ts')
    const root = await trustedRootFromPem((name) => flags.text(name))
    return { root, named: false, report: { source: 'flag', name: pem.map((name) => `--${name}`).join(', ') } }
  }
  if (keyed) return undefined
  for (const name of foreignVariables) {
    if ((terminal.environment[name] ?? '') !== '') terminal.warn(`${name} has no effect: name a trusted root with --trusted-root`)
  }
  const { initializedTrust } = await import('./initialized.ts')
  const { seedTrust } = await import('./seed.ts')
  const ambient = (await initializedTrust(terminal.environment, terminal.nowMs)) ?? (await seedTrust(terminal.nowMs))
  terminal.err(
    `Using the ${ambient.report.source} ${ambient.report.name}${ambient.report.date === undefined ? '' : ` (${ambient.report.date})`}\n`,
  )
  return ambient
}
