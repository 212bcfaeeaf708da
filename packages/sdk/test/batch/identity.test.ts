import type { NameMatch } from '@countersign/core/verify/policy'
import { acceptsAnybody } from '@countersign/sdk/batch/identity'
import { describe, expect, it } from 'vitest'

const issuer: NameMatch = { kind: 'exact', value: 'https://issuer.example' }

describe('an identity', () => {
  it.each(['.*', '.+', '^.*$', '(.*)', '[\\s\\S]*', '.*.*', '(?s).*', '[^\\n]+', '[^ ]+', 'x|.*'])(
    'attack: %j accepts everybody',
    async (value) => {
      const match: NameMatch = { kind: 'pattern', value }
      expect(await acceptsAnybody({ kind: 'identities', identities: [{ issuer, subject: match }] })).toBe(true)
      expect(await acceptsAnybody({ kind: 'identities', identities: [{ issuer: match, subject: issuer }] })).toBe(true)
    },
  )

  it('attack: the glob that stands for everything does, too, and one of several suffices', async () => {
    const subject: NameMatch = { kind: 'glob', value: '**' }
    const named = { issuer, subject: issuer }
    expect(await acceptsAnybody({ kind: 'identities', identities: [named, { issuer, subject }] })).toBe(true)
    expect(await acceptsAnybody({ kind: 'any_certified_signer_UNSAFE', reason: 'test' })).toBe(true)
  })

  it.each([
    { kind: 'pattern', value: '.*@team\\.example' },
    { kind: 'pattern', value: 'https://.*' },
    { kind: 'glob', value: '*@team.example' },
    { kind: 'exact', value: '.*' },
  ] as const)('%o names somebody', async (subject) => {
    expect(await acceptsAnybody({ kind: 'identities', identities: [{ issuer, subject }] })).toBe(false)
  })
})
