/** What `tuf-js` says in prose, as codes. It keeps no cause of most failures, so that its words are all there is; each is met in a test. */
import { CountersignError, type FailureCode } from '@countersign/core/failure'

type Meaning = { readonly pattern: RegExp; readonly code: FailureCode; readonly detail: string; readonly hint: string }

const ask = 'Ask whoever runs the mirror; what was initialized before stays in use.'

const meanings: readonly Meaning[] = [
  {
    // TUF specification §5.3.10, §5.4.4, §5.5.6, §5.6.5: a freeze attack, or a repository that nobody renews.
    pattern: /is expired/,
    code: 'tuf_expired',
    detail: 'the mirror shows metadata that has expired: it is no longer renewed, or an attacker holds back what is newer',
    hint: 'Check the clock of this machine; then ask whoever runs the mirror to renew it.',
  },
  {
    // §5.3.5, §5.4.3, §5.5.5: a rollback attack, or versions mixed together.
    pattern: /version|Missing file .* in new snapshot/,
    code: 'tuf_rolled_back',
    detail: 'the mirror shows other versions than it must: older than those seen before, or mixed',
    hint: ask,
  },
  {
    // §5.3.4, §5.4.2, §5.5.3, §5.6.3: arbitrary software.
    pattern: /was signed by|failed to verify|no signature for key|no public key/,
    code: 'tuf_unsigned',
    detail: 'the mirror shows metadata that too few of the trusted keys have signed',
    hint: 'Check that --root is the root of this mirror; do not trust what it serves.',
  },
  {
    pattern: /Expected (?:hash|length)|Hash algorithm/,
    code: 'content_altered',
    detail: 'the mirror serves something else than its signed metadata names',
    hint: ask,
  },
]

/** The failure of the platform for anything that the TUF client throws. */
export function tufFailure(cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause
  const said = cause instanceof Error ? cause.message : String(cause)
  const meaning = meanings.find(({ pattern }) => pattern.test(said))
  const found = said.replaceAll(/\s+/g, ' ').slice(0, 200)
  if (meaning !== undefined) return new CountersignError(meaning.code, meaning.detail, { found, hint: meaning.hint, cause })
  return new CountersignError('tuf_malformed', 'the mirror shows metadata that cannot be read', { found, hint: ask, cause })
}
