/** Notary Project's trust policy (`trustpolicy.json`, `trustpolicy.oci.json`), to a policy. */
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { isAbsent, items, openMembers, optionalItems, text, type Members, type Place } from '../json/shape.ts'
import type { Decision } from '../policy/model.ts'
import { addIdentity, addRule, type Draft, partyOf } from './draft.ts'
import { anybodyUnder } from './keys.ts'
import type { LossLog } from './losses.ts'
import { nameFrom } from './names.ts'

const maxItems = 200

/** Adds what the document demands to the draft. Throws the code of the place. */
export function fromTrustPolicy(at: Place, draft: Draft, log: LossLog): void {
  const policies = items(openMembers(at)('trustPolicies'), maxItems)
  const scopes = policies.map((place) => optionalItems(openMembers(place)('registryScopes'), maxItems).map(text))
  for (const [index, place] of policies.entries()) {
    const own = scopes[index] ?? []
    if (own.includes('*') && scopes.length > 1)
      log.stricter(
        openMembers(place)('registryScopes').path,
        'there a repository with a policy of its own is judged by that alone, here by this too',
      )
    fromStatement(place, own, draft, log)
  }
}

function fromStatement(at: Place, scopes: readonly string[], draft: Draft, log: LossLog): void {
  const field = openMembers(at)
  const name = text(field('name'))
  const images = isAbsent(field('registryScopes')) ? ['**'] : scopes.map((scope) => (scope === '*' ? '**' : scope))
  const decision = decisionOf(field('signatureVerification'), log)
  if (decision === undefined) return log.stricter(at.path, 'level skip accepts without a signature; here these images are not accepted')
  const roots = optionalItems(field('trustStores'), maxItems).flatMap((place): JsonObject[] => {
    const [kind, store] = text(place).split(':', 2)
    if (kind === 'tsa') {
      log.note(place.path, 'which timestamp authority is trusted is said with --trusted-root')
      return []
    }
    const file = `${nameFrom(store ?? '')}.pem`
    log.note(place.path, `put the certificates of trust store ${text(place)} into ${file}, beside the policy`)
    return [{ file }]
  })
  if (roots.length === 0) return log.weaker(at.path, 'it names no trust store')
  const identities = optionalItems(field('trustedIdentities'), maxItems)
  const parties = identities.map((place): JsonValue => addIdentity(draft, name, identityOf(place, roots, log)))
  addRule(draft, { name, images, decision, body: { signature: { by: partyOf(parties, 1) } } })
}

/** What fails at a level is refused, written to a log, or not looked at; `undefined`: nothing is verified. */
function decisionOf(at: Place, log: LossLog): Decision | undefined {
  const field: Members = openMembers(at)
  const level = text(field('level'))
  const override = isAbsent(field('override')) ? undefined : openMembers(field('override'))
  for (const check of ['integrity', 'authenticTimestamp', 'expiry', 'revocation']) {
    if (override !== undefined && !isAbsent(override(check)))
      log.note(override(check).path, 'integrity and time are always verified here; revocation is said in a list of revocations')
  }
  if (!isAbsent(field('verifyTimestamp'))) log.note(field('verifyTimestamp').path, 'certificates must hold at a proven time here')
  if (level === 'skip') return undefined
  const authenticity = override?.('authenticity').value ?? (level === 'audit' ? 'log' : 'enforce')
  if (level === 'permissive' || level === 'audit')
    log.stricter(field('level').path, 'a certificate that had expired when it signed is refused here')
  return authenticity === 'log' ? 'warn' : 'deny'
}

/** `x509.subject: C=…, ST=…, O=…` holds for every certificate with at least these parts. */
function identityOf(at: Place, roots: readonly JsonObject[], log: LossLog): JsonObject {
  const identity = text(at)
  if (identity === '*') {
    log.note(at.path, 'whoever these trust stores certify is accepted, there and here')
    return anybodyUnder(roots)
  }
  const parts = (/^x509\.subject:\s*(.*)$/s.exec(identity)?.[1] ?? '').split(/(?<!\\),\s*/).map((part) => part.trim())
  const commonName = parts.find((part) => /^CN=/i.test(part))?.slice(3)
  const rest = parts.filter((part) => !/^CN=/i.test(part) && part !== '')
  if (rest.length > 0)
    log.weaker(
      at.path,
      `only the common name of a subject is compared, not ${rest.join(', ')}; the authority must certify it to one organization alone`,
    )
  return commonName === undefined ? anybodyUnder(roots) : { x509: { roots: [...roots], commonName } }
}
