/** `countersign policy import`. */
import { generateKeyPairSync } from 'node:crypto'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject, JsonValue } from '@countersign/core/json/parse'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import { importCosign, type ImportedPolicy, type ImportOptions, importPolicies } from '@countersign/core/policy-exchange/import'
import type { Decision } from '@countersign/core/policy/model'
import { readSourceDocuments, type SourceDocument } from '@countersign/sdk/document/source'
import { writeYaml } from '@countersign/sdk/policy/write'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { readInput } from '../terminal/input.ts'
import { hinted } from './hinted.ts'
import { type PlacedLoss, sayLosses } from './policy-losses.ts'
import { checkWritten, writeText } from './policy-output.ts'

const aboutImports = 'Look at docs/guides/policies-of-other-tools.md for what is read.'
const maxBytes = 4 * 1024 * 1024

/** Converts, says what is lost, checks and writes. Throws `policy_malformed`, `policy_weaker`, `file_exists`, `usage`. */
export async function importPolicy(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const command = flags.text('cosign')
  if ((command === undefined) === (subjects.length === 0)) {
    throw new CountersignError('usage', 'it is not said what to import', { expected: 'FILE…, or --cosign COMMAND' })
  }
  const unmatched = decisionOf(flags.text('unmatched'))
  const options: ImportOptions = { name: flags.text('name') ?? 'imported', ...(unmatched === undefined ? {} : { unmatched }) }
  const { policy, losses } = await hinted(aboutImports, async () =>
    command === undefined
      ? await importFiles(subjects, options)
      : placed(importCosign(command, flags.list('image'), options), () => '--cosign'),
  )
  const comment = sayLosses(invocation, losses, 'the policy')
  const source = command === undefined ? subjects.join(', ') : 'a command of cosign'
  const text = await writeYaml([policy], [`Imported from ${printable(source)}`, ...comment])
  await check(invocation, text, policy)
  const { subjects: written } = await writeText(invocation, text, { what: 'policy' })
  return { subjects: written.map((subject) => ({ ...subject, content: { losses } })) }
}

async function importFiles(paths: readonly string[], options: ImportOptions): Promise<Placed> {
  const sources: SourceDocument[] = []
  for (const path of paths) {
    const text = await inFile(path, async () => fromUtf8(await readInput(path, maxBytes)))
    sources.push(...(await readSourceDocuments(text, path, { code: 'policy_malformed', maxCharacters: maxBytes })))
  }
  try {
    const imported = await importPolicies(
      sources.map(({ value }) => value),
      options,
    )
    return placed(imported, (document, path) => sources[document]?.placeOf(path) ?? '')
  } catch (cause) {
    const [only, more] = sources
    throw only === undefined || more !== undefined ? cause : only.located(cause)
  }
}

type Placed = { readonly policy: JsonObject; readonly losses: readonly PlacedLoss[] }

function placed({ policy, losses }: ImportedPolicy, placeOf: (document: number, path: string) => string): Placed {
  return { policy, losses: losses.map(({ document, ...loss }) => ({ ...loss, place: placeOf(document, loss.path) })) }
}

function decisionOf(word: string | undefined): Decision | undefined {
  if (word === undefined || word === 'allow' || word === 'warn' || word === 'deny') return word
  throw new CountersignError('usage', '--unmatched is no decision', { expected: 'allow, warn or deny', found: word.slice(0, 40) })
}

/** Keys that are asked for by name are not at hand: others stand in for them, so that all the rest is checked. */
async function check(invocation: Invocation, text: string, policy: JsonObject): Promise<void> {
  const keys = new Map<string, PublicKey>()
  for (const name of keyNames(policy['identities'] ?? {})) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    keys.set(name, parsePublicKey(publicKey.export({ type: 'spki', format: 'der' })))
  }
  try {
    await checkWritten(invocation, text, keys)
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'trust_missing') throw cause
    invocation.terminal.err(`The policy was not linted: ${printable(cause.message)}\n`)
  }
}

function keyNames(value: JsonValue): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return (value as readonly JsonValue[]).flatMap(keyNames)
  return Object.entries(value).flatMap(([name, each]) => (name === 'name' && typeof each === 'string' ? [each] : keyNames(each)))
}
