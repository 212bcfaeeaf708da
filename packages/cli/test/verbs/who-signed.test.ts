import { join } from 'node:path'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { describe, expect, it } from 'vitest'
import { verifyBlobCommand } from '../../src/commands/verify-blob.ts'
import { conclusionOutcome, type Conclusion } from '../../src/report/conclusion.ts'
import { verifyBlobs } from '../../src/verbs/verify-blob.ts'
import { invocationOf } from '../demands/invocation.ts'

const vectors = vectorsFolder()
if (vectors === undefined) process.stderr.write('skipped: who signed, because the vectors are not beside the checkout\n')

describe.skipIf(vectors === undefined)('keyless verification without an identity', () => {
  const bundles = join(vectors ?? '', 'sigstore-conformance/bundle-verify')
  const root = join(vectors ?? '', 'sigstore-public-good/trusted_root.json')
  const verify = async (file: string, ...more: string[]): Promise<{ readonly conclusion: Conclusion; readonly said: string }> => {
    const bundle = join(bundles, 'happy-path-v0.3/bundle.sigstore.json')
    const { invocation, said } = invocationOf(verifyBlobCommand, [file, '--bundle', bundle, '--trusted-root', root, ...more])
    const conclusion = await verifyBlobs(invocation)
    return { conclusion, said: said.join('') }
  }

  it('is refused, shows who signed, and the flags that it shows accept exactly them', async () => {
    const artifact = join(bundles, 'a.txt')
    const { conclusion, said } = await verify(artifact)
    expect([conclusionOutcome(conclusion), conclusion.subjects[0]?.ok]).toEqual(['usage', false])
    expect(said).not.toContain('Verified OK')
    const flags = /flags: (.*)/.exec(said)?.[1]?.split(' ') ?? []
    expect(flags).toHaveLength(2)
    expect((await verify(artifact, ...flags)).said).toContain('Verified OK')
  })

  it('counts nothing as accepted in the report, also when the signature is valid', async () => {
    const { conclusion } = await verify(join(bundles, 'a.txt'))
    expect(conclusion.subjects[0]?.signatures?.map(({ accepted }) => accepted)).toEqual([false])
  })

  it('shows nobody when nothing is proven: a name that anybody can write into a bundle is not shown', async () => {
    const { said } = await verify(root)
    expect(said).toContain('nobody that the trusted root proves')
    expect(said).not.toContain('github.com')
  })
})
