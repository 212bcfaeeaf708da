/** Policies of witnesses (c2sp.org/tlog-policy): which there are, and which of them together are enough. */
import { fromUtf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { Primitives } from '../primitives.ts'
import { parseVerifierKey, type VerifierKey } from './verifier-key.ts'

/** A witness of a policy. Without a URL it can be recognised but not asked. */
export type PolicyWitness = { readonly name: string; readonly key: VerifierKey; readonly url: string | undefined }

/** What is enough: one witness, or so many of several. `none` is always enough. */
export type Quorum =
  | { readonly kind: 'none' }
  | { readonly kind: 'witness'; readonly name: string }
  | { readonly kind: 'group'; readonly name: string; readonly threshold: number; readonly members: readonly Quorum[] }

/** A policy, read. */
export type WitnessPolicyDocument = {
  readonly logs: readonly VerifierKey[]
  readonly witnesses: readonly PolicyWitness[]
  readonly quorum: Quorum
}

const maxBytes = 64 * 1024
const maxLines = 1000

type Reading = {
  readonly logs: VerifierKey[]
  readonly witnesses: PolicyWitness[]
  /** Witnesses and groups by name; what is a member of a group already cannot become one of another. */
  readonly named: Map<string, Quorum>
  readonly taken: Set<string>
  quorum: Quorum | undefined
}

/** Reads a policy. Every name is defined before it is used, and is in one group at most. Throws `policy_malformed` with the line, `key_malformed`. */
export async function parseWitnessPolicy(primitives: Pick<Primitives, 'hash'>, bytes: Uint8Array): Promise<WitnessPolicyDocument> {
  if (bytes.length > maxBytes) throw malformed(1, `${bytes.length} bytes`)
  const reading: Reading = { logs: [], witnesses: [], named: new Map(), taken: new Set(), quorum: undefined }
  const lines = fromUtf8(bytes).split('\n')
  if (lines.length > maxLines) throw malformed(maxLines, 'too many lines')
  for (const [index, line] of lines.entries()) {
    const words = line.split(/[ \t\r]+/).filter((word) => word !== '')
    if (words.length > 0 && !line.trimStart().startsWith('#')) await readLine(primitives, reading, index + 1, words)
  }
  const { logs, witnesses, quorum } = reading
  if (quorum === undefined) throw malformed(lines.length, 'there is no quorum')
  return { logs, witnesses, quorum }
}

/** Whether those that cosigned are enough. */
export function satisfies(quorum: Quorum, cosigned: (name: string) => boolean): boolean {
  if (quorum.kind === 'none') return true
  if (quorum.kind === 'witness') return cosigned(quorum.name)
  return quorum.members.filter((each) => satisfies(each, cosigned)).length >= quorum.threshold
}

async function readLine(primitives: Pick<Primitives, 'hash'>, reading: Reading, line: number, words: readonly string[]): Promise<void> {
  const [keyword, first = '', ...rest] = words
  if (keyword === 'log' && rest.length <= 1) {
    reading.logs.push(await parseVerifierKey(primitives, first))
  } else if (keyword === 'witness' && (rest.length === 1 || rest.length === 2)) {
    demandNew(reading, line, first)
    const key = await parseVerifierKey(primitives, rest[0] as string)
    if (key.kind !== 'witness') throw malformed(line, `${first} has the key of a log`)
    reading.witnesses.push({ name: first, key, url: rest[1] })
    reading.named.set(first, { kind: 'witness', name: first })
  } else if (keyword === 'group' && rest.length >= 2) {
    demandNew(reading, line, first)
    reading.named.set(first, readGroup(reading, line, first, rest))
  } else if (keyword === 'quorum' && first !== '' && rest.length === 0) {
    if (reading.quorum !== undefined) throw malformed(line, 'a second quorum')
    reading.quorum = first === 'none' ? { kind: 'none' } : memberNamed(reading, line, first)
  } else throw malformed(line, `not a line of a policy: ${JSON.stringify(words.join(' ').slice(0, 80))}`)
}

function readGroup(reading: Reading, line: number, name: string, [threshold = '', ...names]: readonly string[]): Quorum {
  const members = names.map((member) => {
    const found = memberNamed(reading, line, member)
    if (reading.taken.has(member)) throw malformed(line, `${member} is in a group already`)
    reading.taken.add(member)
    return found
  })
  const needed =
    threshold === 'all' ? members.length : threshold === 'any' ? 1 : /^[1-9][0-9]{0,3}$/.test(threshold) ? Number(threshold) : 0
  if (needed < 1 || needed > members.length) throw malformed(line, `${threshold} of ${members.length} cannot be`)
  return { kind: 'group', name, threshold: needed, members }
}

function memberNamed({ named }: Reading, line: number, name: string): Quorum {
  const found = named.get(name)
  if (found === undefined) throw malformed(line, `${name} is not defined before`)
  return found
}

function demandNew({ named }: Reading, line: number, name: string): void {
  if (name === 'none' || named.has(name)) throw malformed(line, `${name} is a name already`)
}

function malformed(line: number, detail: string): CountersignError {
  return new CountersignError('policy_malformed', `line ${line} of the policy of witnesses: ${detail}`)
}
