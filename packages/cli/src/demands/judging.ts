/** `--policy FILE` and what goes with it, as what everything in a run is judged by. */
import { CountersignError } from '@countersign/core/failure'
import { needsTrustedTime } from '@countersign/core/policy/demands'
import type { JudgingRequest } from '@countersign/sdk/verify/judging'
import type { Invocation } from '../command/invocation.ts'
import type { PolicyReport } from '../report/schema.ts'
import { selectTrust } from '../trust/select.ts'
import { policyFromFlags, type PolicyFile } from './policy-file.ts'

/** By what a run judges, and the same in words. */
export type Judging = { readonly request: JudgingRequest; readonly report: PolicyReport }

/** Loads policy, keys, revocations and trust, once for the run. Throws as `policyFromFlags`, and `trust_missing` when a rule can never hold without. */
export async function judgingFromFlags(invocation: Invocation, path: string, kind: 'image' | 'file'): Promise<Judging> {
  const file = await policyFromFlags(invocation, path, kind)
  const keyed = file.policy.identities.every(({ needsAuthority }) => !needsAuthority)
  const trust = await selectTrust(invocation, keyed)
  if (trust === undefined && needsTrustedTime(file.policy)) {
    throw new CountersignError(
      'trust_missing',
      `policy ${file.policy.policy.name} demands trusted times or log entries, and no trusted root was given`,
      {
        hint: 'Name the trusted root that holds the keys of log and timestamp authority: --trusted-root FILE.',
      },
    )
  }
  return {
    request: { ...file, ...(trust === undefined ? {} : { trustedRoot: trust.root }), nowMs: invocation.terminal.nowMs },
    report: { ...policyReport(file), ...(trust === undefined ? {} : { trust: trust.report }) },
  }
}

function policyReport({ policy }: PolicyFile): PolicyReport {
  const byRule = 'as each rule says'
  return {
    signers: policy.identities.map(({ name }) => name),
    demands: { log: byRule, sct: 'required of certificates', signedTimestamp: byRule, claims: 'required' },
  }
}
