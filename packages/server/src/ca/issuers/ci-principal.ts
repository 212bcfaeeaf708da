/** The certificate of a build: what the templates of its issuer make of the claims (fulcio, pkg/identity/ciprovider). */
import type { JsonObject } from '@countersign/core/json/parse'
import type { FulcioArc, FulcioClaims } from '@countersign/core/x509/build-fulcio'
import type { WrittenName } from '@countersign/core/x509/build-extensions'
import { claimMalformed, claimMissing, soundText, templateValues } from './claims.ts'
import type { CiMapping } from './model.ts'
import type { Template } from './template.ts'
import { toCertificateUri } from './url.ts'

/** Name and extensions. Fails with `identity_claim_missing` for a claim that a template needs, `identity_claim_malformed`. */
export function ciParts(mapping: CiMapping, claims: JsonObject): { readonly name: WrittenName; readonly claims: FulcioClaims } {
  const values = templateValues(mapping.defaults, claims)
  const name = rendered(mapping.subjectAlternativeName, values, 'subject alternative name')
  const uri = toCertificateUri(name)
  if (uri === undefined) throw claimMalformed('subject alternative name', 'the claims do not make a URI')
  const extensions: { [arc in FulcioArc]?: string } = {}
  for (const [arc, template] of mapping.extensions) extensions[arc] = rendered(template, values, `extension ${arc}`)
  return { name: { kind: 'uri', value: uri }, claims: extensions }
}

function rendered(template: Template, values: ReadonlyMap<string, string>, what: string): string {
  const result = template(values)
  if (!result.ok) throw claimMissing(result.missing)
  return soundText(result.text, what)
}
