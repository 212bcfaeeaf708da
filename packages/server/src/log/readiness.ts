/** Whether a log takes entries, as `/readyz` says it. */
import { CountersignError } from '@countersign/core/failure'
import type { Service } from '../base/http/service.ts'
import type { OpenTreeLog } from './engine/open-log.ts'

/** Ready while nothing keeps entries out; failures of ours say why, of others nothing is told. */
export function readinessOf({ failure }: Pick<OpenTreeLog, 'failure'>): Awaited<ReturnType<NonNullable<Service['ready']>>> {
  const why = failure()
  if (why === undefined) return { ok: true }
  return { ok: false, detail: why instanceof CountersignError ? why.message : 'the log cannot take entries' }
}
