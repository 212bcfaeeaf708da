import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readPublicGoodSeed } from '@countersign/sdk/trust/public-good-seed'
import { describe, expect, it } from 'vitest'
import { readConformanceCases, type ConformanceCase } from '../../../../test/vectors/conformance-cases.ts'
import { vectorsFolder } from '../../../testkit/src/vectors.ts'
import { runConformance } from '../../src/conformance/run.ts'

const vectors = vectorsFolder()
const cases = vectors === undefined ? [] : readConformanceCases(vectors)
const nowMs = Date.parse('2026-11-20T00:00:00Z')

async function run(argv: readonly string[], now: number = nowMs): Promise<{ code: number; stderr: string }> {
  const lines: string[] = []
  const code = await runConformance(argv, { stderr: (line) => lines.push(line), nowMs: now })
  return { code, stderr: lines.join('\n') }
}

function commandLine(one: ConformanceCase, artifact: string): readonly string[] {
  const signer =
    one.keyFile === undefined ? ['--certificate-identity', one.identity, '--certificate-oidc-issuer', one.issuer] : ['--key', one.keyFile]
  const root = one.trustedRootFile === undefined ? [] : ['--trusted-root', one.trustedRootFile]
  return ['verify-bundle', '--bundle', one.bundleFile, ...signer, ...root, artifact]
}

describe.skipIf(vectors === undefined)('verify-bundle (skipped where the vectors are not beside the checkout)', () => {
  it.each(cases)('$name, by file, exits as the suite expects', async (one) => {
    const { code } = await run(commandLine(one, one.artifactFile))
    expect(code === 0).toBe(!one.name.endsWith('_fail'))
  })

  it.each(cases)('$name, by digest, exits as the suite expects', async (one) => {
    const digest = `sha256:${createHash('sha256').update(readFileSync(one.artifactFile)).digest('hex')}`
    const { code } = await run(commandLine(one, digest))
    expect(code === 0).toBe(!one.name.endsWith('_fail'))
  })

  it('refuses to rely on the built-in trusted root once it is stale', async () => {
    const [one] = cases.filter(({ name }) => name === 'happy-path-v0.3')
    const { expiresMs } = await readPublicGoodSeed()
    const { code, stderr } = await run(commandLine(one as ConformanceCase, (one as ConformanceCase).artifactFile), expiresMs + 1)
    expect(code).toBe(1)
    expect(stderr).toContain('trust_stale')
  })
})

describe('the command line of the conformance suite', () => {
  it('refuses sign-bundle: keyless signing is not supported yet', async () => {
    const { code, stderr } = await run(['sign-bundle', '--identity-token', 'x', '--bundle', 'b', 'f'])
    expect(code).toBe(1)
    expect(stderr).toContain('keyless signing is not supported yet')
  })

  it('refuses the staging instance without its trusted root', async () => {
    const { code, stderr } = await run(['verify-bundle', '--staging', '--bundle', 'b', '--key', 'k', 'f'])
    expect(code).toBe(1)
    expect(stderr).toContain('not_supported')
  })

  it.each([
    ['no command', []],
    ['an unknown command', ['verify']],
    ['no bundle', ['verify-bundle', '--key', 'k', 'f']],
    ['no artifact', ['verify-bundle', '--key', 'k', '--bundle', 'b']],
    ['two artifacts', ['verify-bundle', '--key', 'k', '--bundle', 'b', 'f', 'g']],
    ['no signer', ['verify-bundle', '--bundle', 'b', 'f']],
    ['key and identity', ['verify-bundle', '--bundle', 'b', '--key', 'k', '--certificate-identity', 'i', 'f']],
    ['half an identity', ['verify-bundle', '--bundle', 'b', '--certificate-identity', 'i', 'f']],
    ['an unknown option', ['verify-bundle', '--bundle', 'b', '--key', 'k', '--nonsense', 'f']],
  ])('exits 2 on %s', async (_what, argv) => {
    expect((await run(argv)).code).toBe(2)
  })

  it('exits 1 when a file does not exist', async () => {
    const { code, stderr } = await run(['verify-bundle', '--bundle', 'does-not-exist', '--key', 'k', 'f'])
    expect(code).toBe(1)
    expect(stderr).toContain('file_not_found')
  })
})
