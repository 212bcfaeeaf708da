import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifyCommand } from '../../src/commands/verify.ts'
import { profileLayer } from '../../src/profile/profile.ts'
import type { Terminal } from '../../src/terminal/terminal.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-profile-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function layer(
  profile: string,
  given: Readonly<Record<string, readonly string[]>> = {},
): Promise<Readonly<Record<string, readonly string[]>>> {
  writeFileSync(join(folder, 'countersign.yaml'), profile)
  const terminal = { environment: {}, workingFolder: folder, warn: () => undefined } as unknown as Terminal
  const { values } = await profileLayer(verifyCommand, new Map(Object.entries(given)), terminal)
  return Object.fromEntries([...values].map(([name, list]) => [name, list.map((value) => value.replace(`${folder}/`, ''))]))
}

const named = `
all: { timeout: 60s }
verify: { key: [a.pub, b.pub], max-workers: 3 }
profiles:
  staging:
    verify: { certificate-identity: me }
`

describe('the values of a profile', () => {
  it('come from the general section and the particular one, and of a name laid over them', async () => {
    expect(await layer(named)).toEqual({ timeout: ['60s'], key: ['a.pub', 'b.pub'], 'max-workers': ['3'] })
  })

  it('take who may have signed from one place alone, the nearest', async () => {
    expect(await layer(named, { profile: ['staging'] })).toEqual({ timeout: ['60s'], 'max-workers': ['3'], 'certificate-identity': ['me'] })
  })

  it('never hold a signer beside one that was typed', async () => {
    expect(await layer(named, { key: ['typed.pub'] })).toEqual({ timeout: ['60s'], 'max-workers': ['3'] })
  })
})

describe('attack: a profile that comes with a checkout', () => {
  it('replaces a typed signer by a policy of its own', async () => {
    await expect(layer('verify: { policy: lax.yaml }', { key: ['typed.pub'] })).rejects.toMatchObject({ code: 'usage' })
    await expect(layer('verify: { policy: lax.yaml }', { 'certificate-identity': ['me'] })).rejects.toMatchObject({ code: 'usage' })
  })

  it('gives another key under the name that a typed policy asks for', async () => {
    expect(await layer('verify: { key: evil/release.pub }', { policy: ['policy.yaml'] })).toEqual({})
  })

  it('chooses the authorities by which a typed identity or policy is verified, or forgets what was revoked', async () => {
    const signers = [{ 'certificate-identity': ['me'] }, { 'certificate-oidc-issuer': ['https://me'] }, { policy: ['policy.yaml'] }]
    for (const flag of ['trusted-root', 'ca-roots', 'ca-intermediates', 'timestamp-certificate-chain', 'revocation-state']) {
      for (const signer of signers) await expect(layer(`verify: { ${flag}: x }`, signer)).rejects.toMatchObject({ code: 'usage' })
    }
  })
})

describe('a trusted root of a profile', () => {
  const profile = 'verify: { trusted-root: root.json }'

  it('holds beside a typed key, whose signatures then must be logged, beside a signer of the profile, and where one is typed too', async () => {
    expect(await layer(profile, { key: ['typed.pub'] })).toEqual({ 'trusted-root': ['root.json'] })
    expect(await layer(profile)).toEqual({ 'trusted-root': ['root.json'] })
    await expect(layer(profile, { 'certificate-identity': ['me'], 'trusted-root': ['typed.json'] })).resolves.toBeDefined()
  })

  it('holds for a typed identity where the profile was named', async () => {
    const given = { 'certificate-identity': ['me'], profile: [join(folder, 'countersign.yaml')] }
    expect(await layer(profile, given)).toEqual({ 'trusted-root': ['root.json'] })
  })
})
