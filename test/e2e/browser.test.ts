/** Core in a real browser: the same bundles, the same verdicts, from the files that a web page would load. */
import { readFileSync } from 'node:fs'
import { bytesBlobSource } from '@countersign/sdk/blob/source'
import { signBlob } from '@countersign/sdk/blob/sign'
import { generateKeyPair, generatedKeyTypes } from '@countersign/sdk/keys/generate'
import { loadSigner } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import { beforeAll, describe, expect, it } from 'vitest'
import { vectorsFolder } from '../../packages/testkit/src/vectors.ts'
import { expectedRefusals, readConformanceCases } from '../vectors/conformance-cases.ts'
import { hasChromium, openPage } from './chromium.ts'
import { startPageServer } from './page-server.ts'

/** One bundle for the page, everything binary in base64. */
type PageCase = {
  readonly name: string
  readonly bundle: string
  readonly artifact: string
  readonly key?: string
  readonly trustedRoot?: string
  readonly identity?: string
  readonly issuer?: string
  readonly match?: 'exact' | 'pattern'
}

const vectors = vectorsFolder()
const conformance = vectors === undefined ? [] : readConformanceCases(vectors)
const nowMs = Date.parse('2026-11-20T00:00:00Z')
const artifact = Buffer.from('what was signed')

describe.skipIf(!hasChromium())('core in Chromium, with WebCrypto', () => {
  let outcomes: Readonly<Record<string, string>> = {}

  beforeAll(async () => {
    const own = await Promise.all(generatedKeyTypes.map(ownCases))
    const server = await startPageServer({ cases: [...own.flat(), ...conformance.map(conformanceCase), ...patternCases()], nowMs })
    const page = openPage(server.url)
    try {
      outcomes = (await server.outcomes) as Readonly<Record<string, string>>
    } finally {
      await page.close()
      server.close()
    }
  })

  it.each(generatedKeyTypes)('verifies what a key of type %s signed, and refuses a changed file', (type) => {
    expect(outcomes[type]).toBe('verified')
    expect(outcomes[`${type}, changed`]).toBe('artifact_altered')
  })

  it.skipIf(vectors === undefined)('gives every case of the Sigstore conformance suite the verdict that Node gives it', () => {
    const expected = conformance.map(({ name }) => [name, name.endsWith('_fail') ? expectedRefusals[name] : 'verified'])
    expect(Object.fromEntries(conformance.map(({ name }) => [name, outcomes[name]]))).toEqual(Object.fromEntries(expected))
  })

  it.skipIf(vectors === undefined)('attack: a pattern that is not anchored gains nothing', () => {
    expect(outcomes['pattern that matches']).toBe('verified')
    expect(outcomes['^a|b$']).toBe('identity_mismatch')
  })
})

async function ownCases(type: (typeof generatedKeyTypes)[number]): Promise<readonly PageCase[]> {
  const pair = await generateKeyPair({ type, password: Buffer.from('pw') })
  const io = { ...nodeKeyIo({ KEY: pair.privatePem }) }
  const signer = await loadSigner('env://KEY', { io, password: async () => Buffer.from('pw') })
  const { bundle } = await signBlob(bytesBlobSource('artifact', artifact), signer)
  const one = { bundle: Buffer.from(bundle).toString('base64'), key: pair.publicPem }
  return [
    { ...one, name: type, artifact: artifact.toString('base64') },
    { ...one, name: `${type}, changed`, artifact: Buffer.from('what was changed').toString('base64') },
  ]
}

function conformanceCase(one: (typeof conformance)[number]): PageCase {
  return {
    name: one.name,
    bundle: one.bundle.toString('base64'),
    artifact: readFileSync(one.artifactFile).toString('base64'),
    trustedRoot: one.trustedRoot.toString('base64'),
    identity: one.identity,
    issuer: one.issuer,
    match: 'exact',
    ...(one.key === undefined ? {} : { key: one.key }),
  }
}

function patternCases(): readonly PageCase[] {
  const happy = conformance.find(({ name }) => name === 'happy-path-v0.3')
  if (happy === undefined) return []
  const pattern = (name: string, identity: string): PageCase => ({ ...conformanceCase(happy), name, identity, match: 'pattern' })
  return [pattern('pattern that matches', 'https://github\\.com/sigstore-conformance/.*'), pattern('^a|b$', '^https://github|main$')]
}
