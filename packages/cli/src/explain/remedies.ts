/** What would make a verification pass: the exact flag or line of a policy, where there is one. */
import type { FailureCode } from '@countersign/core/failure'
import type { Evidence, Refusal } from '@countersign/core/verify/evidence'
import { acceptingLines, shellQuoted } from '../demands/accepting.ts'
import { hintLine, printable } from '../failure/message.ts'
import type { Explained } from './explained.ts'

const maxLines = 40

/** Lines for people, each a thing to do. Nothing in them is done by itself, and some of them nobody should do: who signed decides. */
export function remediesOf(subject: string, explained: Explained): readonly string[] {
  if (explained.failure === undefined) return []
  const lines = explained.verdict === undefined ? byFlags(subject, explained) : byPolicy(explained)
  return [...new Set([...lines, ...provenLines(explained.proven)])].slice(0, maxLines)
}

function byFlags(subject: string, { failure, signatures, demands, kind }: Explained): readonly string[] {
  const refusals = signatures.flatMap(({ result }) => ('refusal' in result ? [result.refusal] : []))
  const lines = (refusals.length === 0 && failure !== undefined ? [failure] : refusals).flatMap((refusal) =>
    forRefusal(subject, refusal, kind),
  )
  // Everybody was asked for, to say who signed; somebody has to be named.
  if (failure?.code === 'usage' && demands.signers.some((name) => name.startsWith('anybody ')))
    lines.unshift('Name who must have signed: --key FILE, or --certificate-identity with --certificate-oidc-issuer.')
  return lines
}

type Remedy = (refusal: Refusal, subject: string, kind: Explained['kind']) => readonly string[]

/** Where there is more to say than the hint of the failure. */
const remedies: { readonly [code in FailureCode]?: Remedy } = {
  signer_untrusted: (refusal) => {
    const { found = '' } = refusal
    if (!/^sha256:[0-9a-f]{64}$/.test(found)) return [hintLine(refusal)]
    return [
      `If ${found} is the key of somebody whom you trust: --key FILE, with that public key in it.`,
      `In a policy: keys: [{ fingerprint: "${found}" }]`,
      'Or have it signed with the key that is expected.',
    ]
  },
  predicate_mismatch: ({ found = '' }) => [`If that is the type you want: --type ${shellQuoted(printable(found))}`],
  no_signature: (_, subject, kind) => [
    `countersign ${kind === 'image' ? 'sign' : 'sign-blob'} --key KEY ${shellQuoted(printable(subject))}`,
  ],
  no_attestation: (_, subject, kind) => [
    `countersign ${kind === 'image' ? 'attest' : 'attest-blob'} --key KEY --type TYPE --predicate FILE ${shellQuoted(printable(subject))}`,
  ],
  log_entry_missing: () => ['Sign it with a log entry; or do without one, by name: --insecure-ignore-tlog'],
}

function forRefusal(subject: string, refusal: Refusal, kind: Explained['kind']): readonly string[] {
  return remedies[refusal.code]?.(refusal, subject, kind) ?? [hintLine(refusal)]
}

/** What each rule that is not satisfied wants, and how those who signed would be named. */
function byPolicy({ verdict, signatures }: Explained): readonly string[] {
  if (verdict === undefined) return []
  if (!verdict.matched) return ['The policy does not speak of this artifact: name it under match (images or files).']
  const open = verdict.rules.filter((rule) => rule.decision === 'deny')
  const wanted = open.map((rule) => printable(`Rule ${rule.rule} wants ${rule.wanted ?? rule.detail}.`))
  const strangers = open.flatMap((rule) => rule.looked.filter((item) => item.identities.length === 0)).map((item) => item.source)
  const signers = signatures.flatMap(({ name, origin, result }) =>
    'evidence' in result && strangers.includes(origin?.manifest ?? name) ? policyLines(result.evidence) : [],
  )
  return [...wanted, ...signers]
}

function policyLines({ signer }: Evidence): readonly string[] {
  if (signer.kind === 'key')
    return [
      printable(`Signed by ${signer.label}. In the policy, under identities: NAME: { keys: [{ fingerprint: "${signer.fingerprint}" }] }`),
    ]
  return acceptingLines({ signer })
}

function provenLines(proven: readonly Evidence[]): readonly string[] {
  return proven.flatMap((evidence) => {
    const [who = '', ...how] = acceptingLines(evidence)
    return [`If you trust ${who}:`, ...how]
  })
}
