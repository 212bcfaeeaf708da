/** `--policy FILE`: the policy, the keys that it asks for by name, and the revocation lists that it listens to. */
import { basename, dirname, resolve } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { policyExpiries } from '@countersign/core/expiry/expiry'
import type { PublicKey } from '@countersign/core/keys/public-key'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import { acceptRevocations, type RevocationState } from '@countersign/core/policy/revocations'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPublicKey } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import { readRevocations } from '@countersign/sdk/policy/revocation-publishing'
import { openPolicy } from '@countersign/sdk/policy/source'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { readInput } from '../terminal/input.ts'
import { memoryFromFlags } from './revocation-memory.ts'
import { warnOfExpiry } from '../trust/expiry.ts'

/** What a run by policy judges with. */
export type PolicyFile = { readonly policy: CompiledPolicy; readonly revocations: ReadonlyMap<string, RevocationState> }

const maxPolicyBytes = 1024 * 1024
const maxListBytes = 48 * 1024 * 1024

/** What the policy says itself; a flag beside it would be a second policy that contradicts it in silence. */
const replaced = [
  'annotations',
  'certificate-identity',
  'certificate-identity-regexp',
  'certificate-oidc-issuer',
  'certificate-oidc-issuer-regexp',
  'check-claims',
  'check-name',
  'insecure-ignore-tlog',
  'insecure-ignore-sct',
  'use-signed-timestamps',
  'require-tlog',
  'type',
  'payload',
  ...['trigger', 'sha', 'name', 'repository', 'ref'].map((name) => `certificate-github-workflow-${name}`),
]

/** Of an image, the signatures in its repository are judged; of a file, what is given beside it. */
const replacedForImages = ['signature', 'certificate']

/** Loads all of it. `kind` is what will be judged. Throws `usage` for flags that a policy replaces, `policy_malformed`, `trust_missing`, and the failures of files and keys. */
export async function policyFromFlags(invocation: Invocation, path: string, kind: 'image' | 'file'): Promise<PolicyFile> {
  const { flags, terminal } = invocation
  const beside = [...replaced, ...(kind === 'image' ? replacedForImages : [])].find((name) => flags.source(name) === 'flag')
  if (beside !== undefined) {
    throw new CountersignError('usage', `--policy and --${beside} contradict each other`, { hint: 'Say it in the policy.' })
  }
  if (/\.(?:rego|cue)$/.test(path)) {
    throw new CountersignError('not_supported', `${path}: policies in Rego and CUE are not read`, {
      hint: 'Write what they check as a condition of a policy; docs/guides/writing-a-policy.md shows how.',
    })
  }
  const { policy } = await openPolicyFile(invocation, path)
  const lists = await Promise.all(flags.list('revocations').map(async (file) => readInput(file, maxListBytes)))
  const memory = policy.revocations.length === 0 ? undefined : await memoryFromFlags(invocation)
  const revocations = new Map<string, RevocationState>()
  for (const source of policy.revocations) {
    const seen = await memory?.seen(source)
    const given = lists.filter((list) => mayBeOf(list, source.name))
    const states = await Promise.all(
      [undefined, ...given].map((list) => acceptRevocations(list, source, terminal.nowMs, nodePrimitives, seen)),
    )
    // Of several versions the newest; of refused ones one whose entries are known at least.
    const [state] = states.toSorted((a, b) => rank(b) - rank(a))
    if (state === undefined) continue
    revocations.set(source.name, state)
    if (state.ok) await memory?.remember(source, state.list)
  }
  warnOfExpiry(invocation, policyExpiries(policy, revocations))
  return { policy, revocations }
}

/** Reads a policy with the keys that `--key` gives, each under the name of its file. Fails as {@link policyFromFlags}. */
export async function openPolicyFile({ flags, terminal }: Invocation, path: string): ReturnType<typeof openPolicy> {
  const io = nodeKeyIo(terminal.environment)
  const keys = new Map<string, PublicKey>()
  for (const label of flags.list('key')) keys.set(basename(label), await inFile(label, () => loadPublicKey(label, io)))
  const text = await inFile(path, async () => fromUtf8(await readInput(path, maxPolicyBytes)))
  // Beside the policy, wherever it is used from.
  const readFile = async (name: string): Promise<string> => {
    const file = resolve(dirname(path), name)
    return inFile(file, async () => fromUtf8(await readInput(file, maxPolicyBytes)))
  }
  return openPolicy(text, path, { primitives: nodePrimitives, keys, readFile })
}

/** What is wrong with a list that was given says more than that none was. */
function rank(state: RevocationState): number {
  if (!state.ok && state.code === 'revocation_list_missing') return -1
  return (state.ok ? 1e16 : 0) + (state.list?.version ?? 0)
}

/** Whether a file says that it is the list of this name; what does not parse may be. Decides only whose fault is reported. */
function mayBeOf(list: Uint8Array, name: string): boolean {
  try {
    return readRevocations(list).list.name === name
  } catch (cause) {
    if (cause instanceof CountersignError) return true
    throw cause
  }
}
