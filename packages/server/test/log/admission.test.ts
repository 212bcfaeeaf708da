import { describe, expect, it } from 'vitest'
import type { ProposedEntry } from '@countersign/core/rekor/entry'
import { admitOwn } from '../../src/log/admission.ts'

const [known, strange] = [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4)]

/** As much of an entry as admission looks at. */
function entryBy(kind: 'public-key' | 'certificate', spki: Uint8Array): ProposedEntry {
  return { signer: { kind, key: { spki } } } as ProposedEntry
}

describe('a log that takes entries of its own installation alone', () => {
  it('admits keys on its list, also when a certificate holds one', async () => {
    const admit = admitOwn(() => false, [known])
    expect(await admit(entryBy('public-key', known))).toEqual({ ok: true })
    expect(await admit(entryBy('certificate', known))).toEqual({ ok: true })
  })

  it('admits certificates of its own authority', async () => {
    expect(await admitOwn(async () => true, [])(entryBy('certificate', strange))).toEqual({ ok: true })
  })

  it.each([
    ['a key that is not on the list, whatever else is ours', 'public-key', true],
    ['a certificate of another authority', 'certificate', false],
  ] as const)('refuses %s', async (_, kind, ours) => {
    expect(await admitOwn(() => ours, [known])(entryBy(kind, strange))).toMatchObject({ ok: false })
  })
})
