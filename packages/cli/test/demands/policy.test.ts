import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair } from '@countersign/sdk/keys/generate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyCommand } from '../../src/commands/verify.ts'
import { annotationsFromFlags, type Demands, demandsFromFlags } from '../../src/demands/policy.ts'
import { invocationOf } from './invocation.ts'

const emptyRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
let folder: string
let key: string
let root: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-demands-'))
  key = join(folder, 'k.pub')
  root = join(folder, 'root.json')
  const pair = await generateKeyPair({ type: 'ecdsa-p256', password: new Uint8Array() })
  writeFileSync(key, pair.publicPem)
  writeFileSync(root, emptyRoot)
})
afterAll(() => rmSync(folder, { recursive: true }))

const demands = async (...argv: string[]): Promise<Demands> =>
  demandsFromFlags(invocationOf(verifyCommand, argv, { HOME: folder }).invocation, { kind: 'signature' }, 'image')
const keyless = (): string[] => [
  '--certificate-identity',
  'dev@example.org',
  '--certificate-oidc-issuer',
  'https://issuer.example',
  '--trusted-root',
  root,
]

describe('with a key', () => {
  it('no log entry is demanded, no trusted root is used, and the report says so', async () => {
    const { policy, trustedRoot, report } = await demands('--key', key)
    expect(policy).toMatchObject({
      log: { kind: 'not_demanded' },
      sct: { kind: 'not_demanded' },
      signedTimestamp: { kind: 'not_demanded' },
      claims: { kind: 'required' },
    })
    expect(trustedRoot).toBeUndefined()
    expect(report.demands.log).toBe('not demanded')
    expect(report.trust).toBeUndefined()
  })

  it('a log entry is demanded as soon as a trusted root is named, even an empty one', async () => {
    expect((await demands('--key', key, '--trusted-root', root)).policy.log).toEqual({ kind: 'required' })
  })

  it('--insecure-ignore-tlog waives it by name, under either of its names', async () => {
    for (const flag of ['--insecure-ignore-tlog', '--private-infrastructure']) {
      const { policy, report } = await demands('--key', key, '--trusted-root', root, flag)
      expect(policy.log).toEqual({ kind: 'waived_UNSAFE', reason: '--insecure-ignore-tlog' })
      expect(report.demands.log).toBe('waived: --insecure-ignore-tlog')
    }
  })

  it('--check-claims=false waives by name that the signature is of this image, and the report says so', async () => {
    const { policy, report } = await demands('--key', key, '--check-claims=false')
    expect(policy.claims).toEqual({ kind: 'waived_UNSAFE', reason: '--check-claims=false' })
    expect(report.demands.claims).toBe('waived: --check-claims=false')
  })

  it('--require-tlog needs a trusted root that is named: none is taken from the machine', async () => {
    await expect(demands('--key', key, '--require-tlog')).rejects.toMatchObject({ code: 'trust_missing' })
  })

  it('PEM certificates of a timestamp authority demand no log entry', async () => {
    await expect(demands('--key', key, '--timestamp-certificate-chain', root)).rejects.toMatchObject({ code: 'pem_malformed' })
  })

  it('any of several suffices, each under the name that was typed', async () => {
    const { policy, report } = await demands('--key', key, '--key', key)
    expect(policy.signer).toMatchObject({ kind: 'keys', keys: [{ label: key }, { label: key }] })
    expect(report.signers).toEqual([`key ${key}`, `key ${key}`])
  })
})

describe('with an identity', () => {
  it('log entry and SCT are demanded', async () => {
    const { policy } = await demands(...keyless())
    expect(policy).toMatchObject({ log: { kind: 'required' }, sct: { kind: 'required' } })
  })

  it('each is waived by its own name only', async () => {
    expect((await demands(...keyless(), '--insecure-ignore-tlog')).policy).toMatchObject({
      log: { kind: 'waived_UNSAFE' },
      sct: { kind: 'required' },
    })
    expect((await demands(...keyless(), '--insecure-ignore-sct')).policy).toMatchObject({
      log: { kind: 'required' },
      sct: { kind: 'waived_UNSAFE' },
    })
  })

  it('names are exact, patterns are patterns, and GitHub claims are extensions', async () => {
    const { policy } = await demands(
      '--certificate-identity-regexp',
      'dev@.*',
      ...keyless().slice(2),
      '--certificate-github-workflow-sha',
      'abc',
    )
    expect(policy.signer).toEqual({
      kind: 'identities',
      identities: [
        {
          subject: { kind: 'pattern', value: 'dev@.*' },
          issuer: { kind: 'exact', value: 'https://issuer.example' },
          extensions: new Map([[3, { kind: 'exact', value: 'abc' }]]),
        },
      ],
    })
  })

  it.for(['.*', '^.*$', '.+', '(.*)'])('warns that %s accepts everybody', async (pattern) => {
    const { invocation, said } = invocationOf(verifyCommand, ['--certificate-identity-regexp', pattern, ...keyless().slice(2)])
    await demandsFromFlags(invocation, { kind: 'signature' }, 'image')
    expect(said.join('\n')).toContain('accepts everybody')
  })

  it('an identity without issuer is wrong usage', async () => {
    await expect(demands('--certificate-identity', 'x')).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('choices that contradict each other are wrong usage', () => {
  it.for([
    ['--certificate-identity', 'x'],
    ['--require-tlog', '--insecure-ignore-tlog'],
    ['--trusted-root', 'root', '--ca-roots', 'roots'],
  ])('%j with a key', async (argv) => {
    await expect(demands('--key', key, ...argv)).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('annotations', () => {
  it('split at the first equals sign', () => {
    expect([...annotationsFromFlags(['a=b=c', 'd='])]).toEqual([
      ['a', 'b=c'],
      ['d', ''],
    ])
  })

  it('need a name', () => {
    expect(() => annotationsFromFlags(['=x'])).toThrow(expect.objectContaining({ code: 'usage' }))
  })
})
