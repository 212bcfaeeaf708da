/** Files of cases for a policy: YAML or JSON text to cases, with file, line and column in every failure. */
import type { CaseDocument, PolicyCase } from '@countersign/core/policy-cases/model'
import { parseCases } from '@countersign/core/policy-cases/document'
import { type CaseSurroundings, caseInput } from '@countersign/core/policy-cases/evidence'
import { evaluatePolicy } from '@countersign/core/policy/evaluate'
import type { Verdict } from '@countersign/core/policy/verdict'
import { readSourceDocument, type SourceDocument } from '../document/source.ts'

const maxCharacters = 4 * 1024 * 1024

/** Cases, and how to judge one of them by a policy. */
export type OpenCases = {
  readonly document: CaseDocument
  /** Where a path of the document is in the file. */
  readonly lineOf: SourceDocument['lineOf']
  /** Throws `policy_malformed` as `NAME:LINE:COLUMN: what` when the case speaks of what the policy does not have. */
  readonly judge: (one: PolicyCase, around: CaseSurroundings) => Promise<Verdict>
}

/** Reads a file of cases. `name` is how messages call it; `nowMs` is the moment of cases that name none. Throws `policy_malformed`. */
export async function openCases(text: string, name: string, nowMs: number): Promise<OpenCases> {
  const { value, lineOf, located } = await readSourceDocument(text, name, { code: 'policy_malformed', maxCharacters })
  try {
    const document = parseCases(value, nowMs)
    return {
      document,
      lineOf,
      judge: async (one, around) => {
        try {
          return evaluatePolicy(around.compiled, await caseInput(one, around))
        } catch (cause) {
          throw located(cause)
        }
      },
    }
  } catch (cause) {
    throw located(cause)
  }
}
