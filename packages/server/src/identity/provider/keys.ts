/** The provider's signing keys as JSON web keys (RFC 7517), and the secret that its cookies are signed with. */
import { createPrivateKey, randomBytes } from 'node:crypto'
import type { JWK } from 'oidc-provider'
import type { Database } from '../../base/database/database.ts'
import type { KeyStore, SecretBox } from '../../base/keys/role-key.ts'

const cookieContext = 'identity cookies'

/** The private keys of these names, in their order. They are in memory only: the provider signs by itself. Throws `key_missing`. */
export async function providerKeys(keys: KeyStore, names: readonly string[]): Promise<readonly JWK[]> {
  return Promise.all(
    names.map(async (name) => {
      const der = Buffer.from(await keys.exportPrivateKey(name))
      const jwk = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
      der.fill(0)
      return { ...jwk, kid: name, use: 'sig', alg: 'RS256' }
    }),
  )
}

/** The secret of this installation's cookies, made at the first call; the same for all its processes. */
export async function cookieKeys({ raw }: Database, secrets: SecretBox): Promise<readonly string[]> {
  const sealed = Buffer.from(secrets.seal(cookieContext, new Uint8Array(randomBytes(32)))).toString('base64')
  await raw.insert('identity_provider', ['model', 'id', 'payload'], [['installation', 'cookies', sealed]], 'ignore')
  const [row] = await raw.query<{ payload: string }>(
    "select payload from identity_provider where model = 'installation' and id = 'cookies'",
  )
  return [Buffer.from(secrets.open(cookieContext, new Uint8Array(Buffer.from(row?.payload ?? '', 'base64')))).toString('base64url')]
}
