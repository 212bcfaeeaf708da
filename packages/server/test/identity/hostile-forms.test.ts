import { describe, expect, it } from 'vitest'
import { createAttempts } from '@countersign/server/identity/accounts/attempts'
import { loginByPassword } from '@countersign/server/identity/accounts/login'
import { identityWorld } from './world.ts'

async function postForm(
  url: string,
  fields: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields).toString() })
  return { status: answer.status, text: await answer.text() }
}

describe('forms that somebody made up', () => {
  it('are shown again, or refused, and no failure of the server, when they come without having been shown', async () => {
    const { issuer } = await identityWorld()
    for (const fields of [{}, { xsrf: 'guessed', user_code: 'BCDF-GHJK', confirm: 'yes' }]) {
      const { status, text } = await postForm(`${issuer}/device`, fields)
      expect(status).toBeLessThan(500)
      expect(text).not.toContain('logged in')
    }
  })

  it('find nothing under identifiers with a NUL, which no database stores', async () => {
    const world = await identityWorld()
    const grant = { grant_type: 'authorization_code', code: 'a\0b', redirect_uri: 'http://localhost/auth/callback', client_id: 'sigstore' }
    expect((await postForm(`${world.issuer}/token`, { ...grant, code_verifier: 'v'.repeat(43) })).status).toBe(400)
    expect((await postForm(`${world.issuer}/token`, { ...grant, client_id: 'sig\0store' })).status).toBe(401)
    const ports = { ...world, attempts: createAttempts(world.clock) }
    await expect(loginByPassword(ports, { name: 'ad\0a', password: 'guess' }, 'somewhere')).rejects.toMatchObject({ code: 'login_refused' })
  })

  it('are not read when they are great, or do not say how long they are', async () => {
    const { issuer } = await identityWorld()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const ask = async (path: string, body: RequestInit): Promise<number> =>
      (await fetch(`${issuer}${path}`, { method: 'POST', headers, ...body })).status
    const chunked = (): RequestInit & { duplex: 'half' } => ({ body: new Blob(['a='.padEnd(100, 'x')]).stream(), duplex: 'half' })
    for (const path of ['/token', '/device', '/device/auth']) {
      expect([path, await ask(path, chunked())]).toEqual([path, 411])
      expect([path, await ask(path, { body: 'a='.padEnd(20_000, 'x') })]).toEqual([path, 413])
    }
    for (const path of ['/login/x', '/welcome/x']) expect([path, await ask(path, { body: 'a='.padEnd(20_000, 'x') })]).toEqual([path, 413])
  })
})
