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
})
