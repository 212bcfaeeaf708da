import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { TrustedRoot } from '@countersign/core/trust/model'
import { accountToken, addAccount } from '@countersign/server/main/accounts'
import { administer, type OpenInstallation } from '@countersign/server/main/administer'
import { activateIntermediate, listAuthorities } from '@countersign/server/main/intermediates'
import { type RotatableRole, rotateKey, type RotationOptions } from '@countersign/server/main/rotation'
import type { Serving } from '@countersign/server/main/serve'
import { requestFor, serveIn, testFolder } from './starting.ts'

const operator = { name: 'ada' }

/** An installation, its server, and a clock that a test moves. */
async function world() {
  const data = join(testFolder(), 'new')
  let offset = 0
  const clock = (): number => Date.now() + offset
  const serving = await serveIn(data, { clock })
  const within = <T>(work: (installation: OpenInstallation) => Promise<T>): Promise<T> => {
    const { access, workingFolder } = requestFor(data)
    return administer({ data, access, workingFolder, clock, log: () => undefined }, 'none', work)
  }
  const rotate = (role: RotatableRole, options?: RotationOptions) =>
    within((installation) => rotateKey(installation, role, operator, options))
  return { serving, within, rotate, clock, pass: (ms: number) => void (offset += ms) }
}

async function rootOf({ addresses }: Serving): Promise<TrustedRoot> {
  return parseTrustedRoot(new Uint8Array(await (await fetch(`${addresses['kit']}/trusted_root.json`)).arrayBuffer()))
}

async function publishedKeys({ addresses }: Serving): Promise<readonly string[]> {
  const { keys } = (await (await fetch(`${addresses['oidc']}/jwks`)).json()) as { readonly keys: readonly { readonly kid: string }[] }
  return keys.map(({ kid }) => kid)
}

/** Asks as a service account does (RFC 6749 §4.4); gives the name of the key that signed. */
async function signedBy({ addresses }: Serving, secret: string): Promise<string> {
  const reply = await fetch(`${addresses['oidc']}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'robot', client_secret: secret }),
  })
  const { id_token: token } = (await reply.json()) as { readonly id_token: string }
  return keyNameIn(token)
}

function keyNameIn(token: string): string {
  return (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { readonly kid: string }).kid
}

const hourMs = 3_600_000
const inTime = { timeout: 40_000, interval: 200 }

describe('the rotation of the key of the identity provider', { timeout: 180_000 }, () => {
  it('is in the key set of the running provider before it signs, and signs there within seconds', async () => {
    const { serving, within, rotate, pass } = await world()
    const robot = { name: 'robot', service: true, administrator: false }
    const { secret = '' } = await within((installation) => addAccount(installation, robot, operator))
    expect([await publishedKeys(serving), await signedBy(serving, secret)]).toEqual([['oidc-1'], 'oidc-1'])
    expect(await rotate('oidc')).toMatchObject({ name: 'oidc-2', change: 'published' })
    await expect.poll(() => publishedKeys(serving), inTime).toEqual(['oidc-1', 'oidc-2'])
    await expect.poll(() => signedBy(serving, secret), inTime).toBe('oidc-2')
    // Tokens of the key before are good for ten minutes yet.
    expect(await publishedKeys(serving)).toEqual(['oidc-2', 'oidc-1'])
    expect(keyNameIn(await within((installation) => accountToken(installation, 'robot', operator)))).toBe('oidc-2')
    pass(hourMs + 60_000)
    await expect.poll(() => publishedKeys(serving), inTime).toEqual(['oidc-2'])
  })

  it('waits for its time when it is planned', async () => {
    const { serving, within, rotate, clock, pass } = await world()
    await within((installation) => addAccount(installation, { name: 'robot', service: true, administrator: false }, operator))
    const token = () => within((installation) => accountToken(installation, 'robot', operator))
    await rotate('oidc', { signsFromMs: clock() + 24 * hourMs })
    await expect.poll(() => publishedKeys(serving), inTime).toEqual(['oidc-1', 'oidc-2'])
    expect(keyNameIn(await token())).toBe('oidc-1')
    pass(24 * hourMs)
    expect(keyNameIn(await token())).toBe('oidc-2')
    await expect.poll(() => publishedKeys(serving), inTime).toEqual(['oidc-2', 'oidc-1'])
  })
})

describe('a planned rotation', { timeout: 180_000 }, () => {
  it('tells clients of the next key now, and has the running server change over at its time', async () => {
    const { serving, rotate, clock, pass } = await world()
    const at = clock() + 24 * hourMs
    expect(await rotate('tsa', { signsFromMs: at })).toEqual({ name: 'tsa-2', change: 'published', signsFromMs: at })
    const [one, two] = (await rootOf(serving)).timestampAuthorities
    expect(one?.validFor.end).toBe(at + hourMs)
    expect(two?.validFor.end).toBeUndefined()
    const chain = async () => (await fetch(`${serving.addresses['tsa']}/certchain`)).text()
    const before = await chain()
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(await chain()).toBe(before)
    pass(24 * hourMs)
    await expect.poll(chain, inTime).not.toBe(before)
  })

  it('has the intermediate of the authority issue at its time', async () => {
    const { serving, within, rotate, clock, pass } = await world()
    await rotate('ca', { signsFromMs: clock() + 24 * hourMs })
    const states = () =>
      within(async (installation) => (await listAuthorities(installation)).map(({ name, status }) => `${name} ${status}`))
    expect(await states()).toEqual(['ca-root active', 'ca-intermediate-1 active', 'ca-intermediate-2 standby'])
    expect((await rootOf(serving)).certificateAuthorities).toHaveLength(2)
    pass(24 * hourMs)
    await expect.poll(states, inTime).toEqual(['ca-root active', 'ca-intermediate-1 retired', 'ca-intermediate-2 active'])
  })

  it('is given up by one that cannot wait, and never signs then', async () => {
    const { serving, within, rotate, clock, pass } = await world()
    const at = clock() + 24 * hourMs
    for (const role of ['tsa', 'ca', 'rekor2'] as const) await rotate(role, { signsFromMs: at })
    await expect(rotate('tsa', { signsFromMs: at + hourMs })).rejects.toMatchObject({ code: 'usage' })
    for (const role of ['tsa', 'ca', 'rekor2'] as const) expect((await rotate(role)).name).toMatch(/-3$/)
    const trusted = await rootOf(serving)
    const ends = trusted.timestampAuthorities.map(({ validFor: { end } }) => end)
    // The one before ends in an hour now, as a rotation that was never planned has it.
    expect(ends[0]).toBeLessThan(at)
    expect(ends[1]).toBeLessThan(at)
    expect(ends[2]).toBeUndefined()
    await expect(within((at) => activateIntermediate(at, 'ca-intermediate-2', operator))).rejects.toMatchObject({
      code: 'authority_missing',
    })
    pass(25 * hourMs)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const states = await within(async (installation) =>
      (await listAuthorities(installation)).map(({ name, status }) => `${name} ${status}`),
    )
    expect(states.slice(1)).toEqual(['ca-intermediate-1 retired', 'ca-intermediate-2 standby', 'ca-intermediate-3 active'])
  })

  it('is refused for roles of the TUF repository, whose clients learn of new keys before they need them', async () => {
    const { rotate, clock } = await world()
    for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const)
      await expect(rotate(role, { signsFromMs: clock() + hourMs })).rejects.toMatchObject({ code: 'usage' })
  })
})
