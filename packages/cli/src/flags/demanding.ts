/** The flags that say who must have signed, what is demanded, or what is trusted: of two profiles that nobody named the account's decides. */
import { namesSigner } from './signer-names.ts'
import { demandFlags, policyFlags, signerFlags } from './verifying.ts'

const convenient = new Set(['max-workers'])
const others = ['annotations', 'check-name', 'fail-on', 'predicate-type', 'registry-cacert', 'registry-server-name', 'type', 'verify']
const demanding: ReadonlySet<string> = new Set([
  ...[...policyFlags, ...signerFlags, ...demandFlags].map(({ name }) => name).filter((name) => !convenient.has(name)),
  ...others,
])

/** Whether a flag is one of them. For a verb that signs, the flags of signers say with what to sign, which demands nothing of anybody. */
export function isDemanding(flag: string, signs: boolean): boolean {
  return demanding.has(flag) && !(signs && namesSigner(flag))
}
