/** What the tests of conversions have in common: imports as a policy that judges, and evidence in every combination. */
import type { JsonValue } from '../../src/json/parse.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { importPolicies } from '../../src/policy-exchange/import.ts'
import { compilePolicy, type CompiledPolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { readSourceDocuments } from '../../../sdk/src/document/source.ts'
import { digest, judge, type proven } from '../policy/fixture.ts'
import { newTestKey } from '../verify/forge.ts'

/** Losses as lines, shortest form. */
type Lines = readonly string[]

/** An imported policy, compiled; keys that it asks for by name are given. */
export type Imported = { readonly document: JsonValue; readonly policy: CompiledPolicy; readonly losses: Lines }

/** Compiles a document; every key that it asks for by name is a fresh one. */
export async function compileDocument(document: JsonValue): Promise<CompiledPolicy> {
  const names = [...JSON.stringify(document).matchAll(/\{"name":"([\w.-]+\.p(?:ub|em))"\}/g)].map((match) => match[1] ?? '')
  const keys = new Map(names.map((name) => [name, newTestKey().publicKey]))
  return compilePolicy(parsePolicy(document), { primitives: nodePrimitives, keys })
}

/** Imports YAML or JSON text. */
export async function imported(text: string): Promise<Imported> {
  const read = await readSourceDocuments(text, 'policy', { code: 'policy_malformed', maxCharacters: 100_000 })
  const documents = read.map(({ value }) => value)
  const { policy, losses } = await importPolicies(documents, { name: 'imported' })
  return { document: policy, policy: await compileDocument(policy), losses: losses.map(({ effect, path }) => `${effect} ${path}`) }
}

/** An image of the tests, by its reference. */
export function imageOf(reference: string): Extract<Parameters<CompiledPolicy['matches']>[0], { kind: 'image' }> {
  return { kind: 'image', reference: parseReference(reference), digests: [] }
}

/** Indents every line but the first: a block of PEM in YAML. */
export function indented(text: string, blanks: number): string {
  return text.trim().replaceAll('\n', `\n${' '.repeat(blanks)}`)
}

/** What an imported policy decides of an image with this evidence. */
export async function decide(
  text: string,
  evidence: readonly ReturnType<typeof proven>[],
  reference = 'registry.example/acme/app:1',
): Promise<string> {
  const { policy } = await imported(text)
  return judge(policy, await Promise.all(evidence), { artifact: { ...imageOf(reference), digests: [digest] } }).decision
}
