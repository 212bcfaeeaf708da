/** Who may have signed, as the flags say: keys, or an identity in a certificate. */
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { IdentityMatch, NameMatch, SignerDemand, TrustedKey } from '@countersign/core/verify/policy'
import { loadPublicKey } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import type { FlagValues } from '../command/flag-values.ts'
import { inFile } from '../failure/in-file.ts'
import type { Invocation } from '../command/invocation.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Last arcs of Fulcio's extensions (1.3.6.1.4.1.57264.1.N) for the flags `--certificate-github-workflow-*`. */
const workflowArcs: readonly (readonly [string, number])[] = [
  ['trigger', 2],
  ['sha', 3],
  ['name', 4],
  ['repository', 5],
  ['ref', 6],
]

const identityFlags = ['identity', 'identity-regexp', 'oidc-issuer', 'oidc-issuer-regexp'].map((name) => `certificate-${name}`)

/** Loads the keys, or reads the identity. Throws `usage` when nobody is named, or both kinds are. */
export async function signerFromFlags({ flags, terminal }: Invocation): Promise<SignerDemand> {
  const references = flags.list('key')
  const identity = [...identityFlags, ...workflowArcs.map(([name]) => `certificate-github-workflow-${name}`)].filter(
    (name) => flags.text(name) !== undefined,
  )
  if (references.length > 0) {
    if (identity.length > 0) {
      throw new CountersignError('usage', `--key and --${identity[0] ?? ''} contradict each other`, { hint: 'Name keys, or an identity.' })
    }
    const io = nodeKeyIo(terminal.environment)
    const keys = await Promise.all(
      references.map(async (label): Promise<TrustedKey> => ({ key: await inFile(label, () => loadPublicKey(label, io)), label })),
    )
    return { kind: 'keys', keys }
  }
  const match: IdentityMatch = {
    subject: nameMatch(flags, terminal, 'certificate-identity'),
    issuer: nameMatch(flags, terminal, 'certificate-oidc-issuer'),
    extensions: workflowMatches(flags),
  }
  return { kind: 'identities', identities: [match] }
}

/** An identity that stands in a file, with what the flags demand of the certificate besides. */
export function identitySigner(identity: IdentityMatch, flags: FlagValues): SignerDemand {
  return { kind: 'identities', identities: [{ ...identity, extensions: workflowMatches(flags) }] }
}

function nameMatch(flags: FlagValues, terminal: Terminal, flag: string): NameMatch {
  const exact = flags.text(flag)
  const pattern = flags.text(`${flag}-regexp`)
  if (exact !== undefined && pattern !== undefined) {
    throw new CountersignError('usage', `--${flag} and --${flag}-regexp contradict each other`, { hint: 'Give one of them.' })
  }
  if (exact !== undefined) return { kind: 'exact', value: exact }
  if (pattern === undefined) {
    throw new CountersignError('usage', 'it is not said who may have signed', {
      expected: `--key, or --${flag} or --${flag}-regexp`,
      found: 'none of them',
      hint: 'Give --key FILE, or --certificate-identity NAME with --certificate-oidc-issuer URL.',
    })
  }
  if (/^\^?(?:\((?:\?:)?)?\.[*+]\)?\$?$/.test(pattern)) {
    terminal.warn(`WARNING: --${flag}-regexp '${pattern}' accepts everybody; it proves nothing about who signed.`)
  }
  return { kind: 'pattern', value: pattern }
}

function workflowMatches(flags: FlagValues): ReadonlyMap<number, NameMatch> {
  const matches = new Map<number, NameMatch>()
  for (const [name, arc] of workflowArcs) {
    const value = flags.text(`certificate-github-workflow-${name}`)
    if (value !== undefined) matches.set(arc, { kind: 'exact', value })
  }
  return matches
}

/** The signers in words. */
export function signerNames(signer: SignerDemand): readonly string[] {
  switch (signer.kind) {
    case 'keys':
      return signer.keys.map((key) => `key ${key.label}`)
    case 'identities':
      return signer.identities.map((identity) => `${matchText(identity.subject)} by ${matchText(identity.issuer)}`)
    case 'authorities':
      return signer.authorities.map(({ text }) => text)
    case 'any_certified_signer_UNSAFE':
      return [`anybody with a certificate (${signer.reason})`]
    default:
      return unreachable(signer)
  }
}

function matchText(match: NameMatch): string {
  return match.kind === 'exact' ? match.value : `${match.kind} ${match.value}`
}
