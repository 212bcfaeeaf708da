import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { signCommand } from '../../src/commands/sign.ts'
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

describe('the profile of the account below that of the folder', () => {
  const both = async (
    account: string,
    here: string,
    given: Readonly<Record<string, readonly string[]>> = {},
    command = verifyCommand,
  ): Promise<Readonly<Record<string, string>>> => {
    mkdirSync(join(folder, 'home/countersign'), { recursive: true })
    writeFileSync(join(folder, 'home/countersign/config.yaml'), account)
    writeFileSync(join(folder, 'countersign.yaml'), here)
    const environment = { XDG_CONFIG_HOME: join(folder, 'home') }
    const terminal = { environment, workingFolder: folder, warn: () => undefined } as unknown as Terminal
    const { values, places } = await profileLayer(command, new Map(Object.entries(given)), terminal)
    expect([...places.keys()].toSorted()).toEqual([...values.keys()].toSorted())
    const short = (text: string): string => text.replaceAll(`${folder}/`, '').replace('home/countersign/', '~')
    return Object.fromEntries([...values].map(([name, list]) => [name, `${short(list.join(' '))} ${short(places.get(name) ?? '')}`]))
  }

  it.each(['', '{}', 'verify: { require-tlog: false, max-workers: 2 }'])(
    'attack: a profile that comes with a checkout, "%s", does away with what the account demands',
    async (here) => {
      const account =
        'verify: { policy: p.yaml, key: a.pub, require-tlog: true, use-signed-timestamps: true, revocations: [r], max-workers: 9 }'
      expect(await both(account, here)).toMatchObject({
        policy: '~p.yaml ~config.yaml:1',
        key: '~a.pub ~config.yaml:1',
        'require-tlog': 'true ~config.yaml:1',
        'use-signed-timestamps': 'true ~config.yaml:1',
        revocations: '~r ~config.yaml:1',
      })
    },
  )

  it("attack: a profile that comes with a checkout puts its signers, its policy or its authorities in the place of the account's", async () => {
    expect(await both('verify: { key: a.pub }', 'verify: { key: evil.pub }')).toEqual({ key: '~a.pub ~config.yaml:1' })
    expect(await both('verify: { key: a.pub }', 'verify: { certificate-identity: eve }')).toEqual({ key: '~a.pub ~config.yaml:1' })
    expect(await both('verify: { policy: p.yaml }', 'verify: { policy: evil.yaml, key: evil/a.pub }')).toEqual({
      policy: '~p.yaml ~config.yaml:1',
    })
    expect(await both('all: { trusted-root: t.json }', 'verify: { trusted-root: evil.json, ca-roots: evil.pem }')).toEqual({
      'trusted-root': '~t.json ~config.yaml:1',
    })
    await expect(both('verify: { key: a.pub }', 'verify: { policy: evil.yaml }')).rejects.toMatchObject({ code: 'usage' })
    await expect(both('verify: { certificate-identity: me }', 'all: { trusted-root: evil.json }')).rejects.toMatchObject({ code: 'usage' })
  })

  it('attack: a profile that comes with a checkout has a part of the name that the account gives to its strict one', async () => {
    const account = 'profiles: { strict: { verify: { key: a.pub, require-tlog: true } } }'
    const strict = { key: '~a.pub ~config.yaml:1', 'require-tlog': 'true ~config.yaml:1' }
    for (const here of ['', 'profiles: { strict: { verify: { key: evil.pub } } }'])
      expect(await both(account, here, { profile: ['strict'] })).toEqual(strict)
    await expect(both(account, '', { profile: ['lenient'] })).rejects.toMatchObject({ code: 'usage' })
  })

  it('leaves to the folder what is convenient, what the account says nothing of, and what to sign with', async () => {
    expect(await both('all: { timeout: 9s, max-workers: 9 }', 'verify: { max-workers: 2, key: b.pub, require-tlog: true }')).toEqual({
      timeout: '9s ~config.yaml:1',
      'max-workers': '2 countersign.yaml:1',
      key: 'b.pub countersign.yaml:1',
      'require-tlog': 'true countersign.yaml:1',
    })
    expect(await both('sign: { key: a.key }', 'sign: { key: b.key }', {}, signCommand)).toEqual({ key: 'b.key countersign.yaml:1' })
  })
})
