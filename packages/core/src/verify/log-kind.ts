/** Which generation of Rekor an entry comes from; each has its own rules. */
import type { TransparencyLogEntry } from '../bundle/model.ts'

/** Whether the entry has a Rekor v2 type (`0.0.2` of hashedrekord or dsse); intoto 0.0.2 is of v1. */
export function isVersion2(entry: Pick<TransparencyLogEntry, 'kind' | 'version'>): boolean {
  return entry.version === '0.0.2' && entry.kind !== 'intoto'
}
