/** Our policy to those of other tools. */
import { unreachable } from '../failure.ts'
import type { JsonObject } from '../json/parse.ts'
import type { CompiledPolicy } from '../policy/compile.ts'
import type { ForeignKind } from './import.ts'
import { type Loss, lossLog } from './losses.ts'
import { toClusterImagePolicy } from './to-cluster-image-policy.ts'
import { type ContainersFiles, toContainersPolicy, toCosign, toTrustPolicy } from './to-files.ts'
import { toKyverno } from './to-kyverno.ts'
import { toKyvernoCel } from './to-kyverno-cel.ts'

/** The kinds of policy that can be written. */
export const exportKinds: readonly ForeignKind[] = [
  'kyverno',
  'kyverno-ivp',
  'cluster-image-policy',
  'notary-trust-policy',
  'containers-policy',
  'cosign',
]

/** What some kinds need beside the policy. */
export type ExportOptions = ContainersFiles & {
  /** The image that command lines of cosign name. */
  readonly image?: string
}

/** Documents, or lines for a shell with the key files that they name; and what could not be carried over. */
export type ExportedPolicy = {
  readonly content:
    | { readonly form: 'yaml' | 'json'; readonly documents: readonly JsonObject[] }
    | { readonly form: 'shell'; readonly lines: readonly string[]; readonly keys: ReadonlyMap<string, string> }
  readonly losses: readonly Loss[]
}

/** Writes a policy for another tool. Whether a weaker result is acceptable is for the caller to say: `losses` has what makes it so. */
export function exportPolicy(compiled: CompiledPolicy, kind: ForeignKind, options: ExportOptions = {}): ExportedPolicy {
  const log = lossLog()
  const content = contentOf(compiled, kind, options, log)
  return { content, losses: log.all }
}

function contentOf(
  compiled: CompiledPolicy,
  kind: ForeignKind,
  options: ExportOptions,
  log: ReturnType<typeof lossLog>,
): ExportedPolicy['content'] {
  switch (kind) {
    case 'kyverno':
      return { form: 'yaml', documents: toKyverno(compiled, log) }
    case 'kyverno-ivp':
      return { form: 'yaml', documents: toKyvernoCel(compiled, log) }
    case 'cluster-image-policy':
      return { form: 'yaml', documents: toClusterImagePolicy(compiled, log) }
    case 'notary-trust-policy':
      return { form: 'json', documents: [toTrustPolicy(compiled, log)] }
    case 'containers-policy':
      return { form: 'json', documents: [toContainersPolicy(compiled, log, options)] }
    case 'cosign': {
      if (compiled.policy.unmatched !== 'allow')
        log.note('$.match', 'a command verifies the image that it names, whether the policy speaks of it or not')
      return { form: 'shell', ...toCosign(compiled, log, options.image ?? 'IMAGE') }
    }
    default:
      return unreachable(kind)
  }
}
