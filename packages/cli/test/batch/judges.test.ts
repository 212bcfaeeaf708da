import { describe, expect, it } from 'vitest'
import { createJudges } from '../../src/batch/judges.ts'
import { flagValues } from '../../src/command/flag-values.ts'
import { parseArguments } from '../../src/command/parse.ts'
import { verifyBlobCommand } from '../../src/commands/verify-blob.ts'
import { invocationOf } from '../demands/invocation.ts'

const subject = { content: { kind: 'signature', annotations: new Map() }, of: 'file' } as const

function judges(profile: Readonly<Record<string, readonly string[]>>, argv: readonly string[] = []): ReturnType<typeof createJudges> {
  const { invocation } = invocationOf(verifyBlobCommand, argv)
  const flags = flagValues(parseArguments(argv, verifyBlobCommand.flags), new Map(), new Map(Object.entries(profile)))
  return createJudges({ ...invocation, flags }, subject)
}

describe('attack: a policy of a profile in the place of the keys that an entry names', () => {
  it('is refused, as it is beside keys that were typed', async () => {
    await expect(judges({ policy: ['lax.yaml'] })({ publicKeys: ['team.pub'] }, 'file')).rejects.toMatchObject({ code: 'usage' })
  })

  it('is one that was typed, or that the entry names, when it is meant: the keys are then those that it asks for', async () => {
    const missing = { code: 'file_not_found' }
    await expect(judges({}, ['--policy', 'none.yaml'])({ publicKeys: ['team.pub'] }, 'file')).rejects.toMatchObject(missing)
    const both = { policy: 'none.yaml', publicKeys: ['team.pub'] }
    await expect(judges({ policy: ['lax.yaml'] })(both, 'file')).rejects.toMatchObject(missing)
  })
})
