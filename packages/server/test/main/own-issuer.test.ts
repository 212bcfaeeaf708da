import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { accountToken, addAccount, endAccount } from '@countersign/server/main/accounts'
import { administer } from '@countersign/server/main/administer'
import { newKey } from './logging.ts'
import { requestFor, serveIn, testFolder } from './starting.ts'

describe('attack: who has the key of an identity provider that is switched off', { timeout: 60_000 }, () => {
  it('gets no certificate for what it signs: the authority knows the provider only while it runs here, or by the configuration; and none for an account that has ended since', async () => {
    const data = join(testFolder(), 'data')
    await (await serveIn(data)).stop()
    const { access, workingFolder, clock } = requestFor(data)
    const token = await administer({ data, access, workingFolder, clock, log: () => undefined }, 'none', async (installation) => {
      await addAccount(installation, { name: 'ada', email: 'ada@example.org', service: false, administrator: false }, { name: 'test' })
      return accountToken(installation, 'ada', { name: 'test' })
    })
    const key = newKey()
    const ask = async (url: string): Promise<readonly [status: number, text: string, issuers: string]> => {
      const publicKeyRequest = {
        publicKey: { algorithm: 'ECDSA', content: key.pem },
        proofOfPossession: key.sign('ada@example.org'),
      }
      const answer = await fetch(`${url}/fulcio/api/v2/signingCert`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ credentials: { oidcIdentityToken: token }, publicKeyRequest }),
      })
      return [answer.status, await answer.text(), await (await fetch(`${url}/fulcio/api/v2/configuration`)).text()]
    }
    const without = await serveIn(data, { roles: ['ca', 'log'] })
    const [status, text, issuers] = await ask(without.publicUrl)
    expect([status, text]).toEqual([400, expect.stringContaining('identity_issuer_unknown')])
    expect(issuers).not.toContain('/oidc')
    await without.stop()
    const running = await serveIn(data)
    expect((await ask(running.publicUrl))[0]).toBe(200)
    expect((await ask(running.publicUrl))[2]).toContain('/oidc')
    await administer({ data, access, workingFolder, clock, log: () => undefined }, 'none', async (installation) =>
      endAccount(installation, 'ada', { name: 'test' }),
    )
    expect((await ask(running.publicUrl)).slice(0, 2)).toEqual([400, expect.stringContaining('account_disabled')])
  })
})
