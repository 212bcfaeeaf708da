import { expect, it } from 'vitest'
import { formatTime } from '../../src/trust/time-range.ts'
import { lintPolicy } from '../../src/policy/lint.ts'
import { compiled, daysAgo, now, proven, recorded, somebody } from './fixture.ts'

const alice = await somebody('alice')
const identities = { alice: { keys: [alice.pem] } }

it('attack: an attestation of another type by the right signer fulfils no rule', async () => {
  const policy = await compiled({ identities, require: [{ name: 'scan', attestation: { type: 'https://x/scan', by: 'alice' } }] })
  expect(recorded(policy, [await proven(alice.signer, { type: 'https://x/scan' })]).decision).toBe('allow')
  for (const type of ['https://x/scan2', 'https://x/sca', 'https://spdx.dev/Document']) {
    const verdict = recorded(policy, [await proven(alice.signer, { type })])
    expect(verdict).toMatchObject({ decision: 'deny', rules: [{ outcome: 'missing', looked: [] }] })
  }
})

it('a signature made at the very moment is neither after nor before it', async () => {
  const moment = formatTime(daysAgo(5))
  for (const time of [{ after: moment }, { before: moment }]) {
    const policy = await compiled({ identities, require: [{ name: 'x', signature: { by: 'alice', ...time } }] })
    expect(recorded(policy, [await proven(alice.signer, { signedMs: daysAgo(5) })]).decision).toBe('deny')
  }
})

it('an age or a moment alone is nothing that cannot be met', async () => {
  for (const time of [{ before: formatTime(daysAgo(9)) }, { maxAge: '1d' }]) {
    const policy = await compiled({ identities, require: [{ name: 'x', signature: { by: 'alice', ...time } }] })
    expect(lintPolicy(policy, now)).toEqual([])
  }
})
