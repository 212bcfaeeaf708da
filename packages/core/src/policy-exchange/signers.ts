/** Identities of a policy in the forms of other tools. */
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { encodePublicKeyPem } from '../keys/public-key.ts'
import type { CompiledIdentity, CompiledPolicy } from '../policy/compile.ts'
import type { PolicyIdentity } from '../policy/model.ts'
import { leavesOf, type ExportRule } from './export-view.ts'
import { nameOfArc } from './keyless.ts'
import type { LossLog } from './losses.ts'
import { toSearch, toWildcard } from './names.ts'

/** The keys of an identity, PEM. */
export function pemsOf({ keys }: CompiledIdentity): readonly string[] {
  return keys.map(({ key }) => encodePublicKeyPem(key))
}

/** What the policy says of an identity. */
export function signerOf({ policy }: CompiledPolicy, { name }: CompiledIdentity): PolicyIdentity['signer'] | undefined {
  return policy.identities.get(name)?.signer
}

/** A certificate identity of Fulcio. */
export type FulcioSigner = Extract<PolicyIdentity['signer'], { kind: 'certificate' }>

/** Says what is lost of every identity of the rules: windows, and certificates of authorities of one's own. */
export function lostIdentities(compiled: CompiledPolicy, rules: readonly ExportRule[], log: LossLog, own: boolean): void {
  for (const identity of new Set(rules.flatMap(({ party }) => leavesOf(party)))) {
    const told = compiled.policy.identities.get(identity.name)
    if (told === undefined) continue
    const { signer, path } = told
    if (signer.kind === 'keys') {
      for (const key of signer.keys)
        if (key.validFor !== undefined) log.weaker(key.path, 'when signatures of the key count is not compared there')
    } else if (signer.validFor !== undefined) log.weaker(path, 'when signatures count is not compared there')
    if (signer.kind === 'x509' && !own) log.weaker(`${path}.x509`, 'certificates of an authority of one’s own have no counterpart there')
  }
}

/** Names of Fulcio's first extensions, as cosign's library gives them to Kyverno. */
const readable: Readonly<Record<string, string>> = {
  '2': 'githubWorkflowTrigger',
  '3': 'githubWorkflowSha',
  '4': 'githubWorkflowName',
  '5': 'githubWorkflowRepository',
  '6': 'githubWorkflowRef',
}

/** `additionalExtensions` of Kyverno: texts of the first extensions; the later ones are compared with their encoding there. */
export function extensionTexts({ extensions }: FulcioSigner, path: string, log: LossLog): JsonObject {
  const texts: Record<string, string> = {}
  for (const [arc, match] of extensions) {
    const [name, value] = [readable[arc], toWildcard(match)]
    if (name === undefined || value === undefined)
      log.weaker(`${path}.certificate.extensions.${nameOfArc(arc)}`, 'the extension cannot be compared there')
    else texts[name] = value
  }
  return Object.keys(texts).length === 0 ? {} : { additionalExtensions: texts }
}

/** `issuer` and `subject`, or the same as patterns. With `wildcards` a text may hold stars, as Kyverno reads it. */
export function issuerAndSubject({ issuer, subject }: FulcioSigner, wildcards: boolean): { readonly [name: string]: JsonValue } {
  const names = { issuer, subject }
  return Object.fromEntries(
    (['issuer', 'subject'] as const).map((which) => {
      const match = names[which]
      const plain = wildcards ? toWildcard(match) : match.kind === 'exact' ? match.value : undefined
      return plain === undefined ? [`${which}RegExp`, toSearch(match)] : [which, plain]
    }),
  )
}
