/** Signers with certificates of Fulcio, in the fields that Kyverno and policy-controller share. */
import type { JsonObject } from '../json/parse.ts'
import { isAbsent, type Members, text, textMap } from '../json/shape.ts'
import { extensionArcs } from '../policy/extensions.ts'
import type { NameMatch } from '../verify/policy.ts'
import type { LossLog } from './losses.ts'
import { fromSearch, nameJson } from './names.ts'

const maxExtensions = 32

/** Names of extensions as cosign writes them, where they are not those of a policy, to the last arc of the OID. */
const cosignNames: Readonly<Record<string, string>> = { githubWorkflowSha: '3' }

/**
 * An identity of `issuer` or `issuerRegExp`, `subject` or `subjectRegExp`. A pattern wins where both are there, as it does there. `exact`
 * reads the plain texts.
 */
export function keylessIdentity(field: Members, exact: (text: string) => NameMatch, log: LossLog): JsonObject {
  return { certificate: { issuer: nameOf('issuer', field, exact, log), subject: nameOf('subject', field, exact, log) } }
}

function nameOf(which: 'issuer' | 'subject', field: Members, exact: (text: string) => NameMatch, log: LossLog): JsonObject[string] {
  const pattern = ['RegExp', 'Regexp'].map((end) => field(`${which}${end}`)).find((place) => !isAbsent(place))
  const plain = field(which)
  if (pattern !== undefined) {
    const search = text(pattern)
    if (!search.startsWith('^') || !search.endsWith('$'))
      log.note(pattern.path, `the pattern is not anchored: every ${which} that contains it is accepted, there and here`)
    return nameJson(fromSearch(search))
  }
  if (!isAbsent(plain)) return nameJson(exact(text(plain)))
  log.note(plain.path, `no ${which} is named: everybody's is accepted, there and here`)
  return { pattern: '(?s:.*)' }
}

/** `additionalExtensions`: by cosign's names, or by OID, for which texts compare with the raw value of the extension. */
export function additionalExtensions(field: Members, log: LossLog): JsonObject {
  const place = field('additionalExtensions')
  if (isAbsent(place)) return {}
  const extensions: Record<string, string> = {}
  for (const [name, value] of Object.entries(textMap(place, maxExtensions))) {
    const arc = /^1\.3\.6\.1\.4\.1\.57264\.1\.([1-9][0-9]{0,5})$/.exec(name)?.[1] ?? cosignNames[name] ?? extensionArcs[name]
    if (arc === undefined) log.weaker(`${place.path}[${JSON.stringify(name)}]`, 'an extension that a policy has no name for')
    else extensions[nameOfArc(arc)] = value
  }
  return Object.keys(extensions).length === 0 ? {} : { extensions }
}

/** The name of an extension, or the last arc of its OID. */
export function nameOfArc(arc: string): string {
  return Object.entries(extensionArcs).find(([, each]) => each === arc)?.[0] ?? arc
}
