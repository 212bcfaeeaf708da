import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseSigningConfig } from '@countersign/core/trust/signing-config'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { bytesBlobSource } from '@countersign/sdk/blob/source'
import { signBlob } from '@countersign/sdk/blob/sign'
import { verifyBlob } from '@countersign/sdk/blob/verify'
import { keylessSigner } from '@countersign/sdk/keyless/signer'
import { openClient } from '@countersign/sdk/open-client'
import { startPostgres, type TestPostgres } from '@countersign/testkit/postgres'
import { startTestS3, type TestS3 } from '@countersign/testkit/s3/server'
import { serveIn, testFolder } from '../main/starting.ts'
import { clientOf, issuer, trustingIssuer } from './client.ts'

let postgres: TestPostgres
let s3: TestS3
beforeAll(async () => {
  postgres = await startPostgres()
  s3 = await startTestS3()
}, 60_000)
afterAll(async () => {
  await postgres.stop()
  await s3.stop()
})

describe('the platform on PostgreSQL and S3', { timeout: 120_000 }, () => {
  it('certifies, logs and stamps a signature that verifies, keeps all of it in database and bucket, and goes on after a restart', async () => {
    const folder = testFolder()
    const data = join(folder, 'data')
    const { accessKeyId, secretAccessKey, region } = s3.credentials
    const blobs = { kind: 's3', endpoint: s3.endpoint, region, accessKeyId: 'env:S3_ID', secretAccessKey: 'env:S3_KEY' }
    const more = {
      ...trustingIssuer(folder, { database: { kind: 'postgres', url: 'env:DATABASE_URL' }, blobs }),
      access: { environment: { DATABASE_URL: await postgres.database(), S3_ID: accessKeyId, S3_KEY: secretAccessKey } },
    }
    const first = await serveIn(data, more)
    const client = await clientOf(first.listening, first.publicUrl)
    await expect.poll(async () => (await client.ready()).status).toBe(200)
    const outcomes = [await client.rekor2(), await client.rekor1(), await client.certificate(), await client.timestamp()]
    expect(outcomes.map(({ status }) => status)).toEqual([201, 201, 200, 200])
    expect(await signAndVerify(first.publicUrl)).toMatchObject({ ok: true })
    await client.demandAll()
    expect(existsSync(join(data, 'blobs')) || existsSync(join(data, 'database.sqlite'))).toBe(false)
    expect([...s3.objects.keys()].filter((name) => name.includes('/rekor2-1/tile/0/')).length).toBeGreaterThan(0)
    await first.stop()
    const second = await serveIn(data, more)
    expect(second.firstStart).toBe(false)
    await expect.poll(async () => (await client.ready()).status).toBe(200)
    expect((await client.rekor2()).acknowledged?.index).toBe(2)
    await client.demandAll()
  })
})

async function signAndVerify(url: string): ReturnType<typeof verifyBlob> {
  const read = async (name: string): Promise<string> => (await fetch(`${url}/kit/${name}`)).text()
  const trustedRoot = parseTrustedRoot(await read('trusted_root.json'))
  const config = parseSigningConfig(await read('signing_config.json'))
  const client = await openClient({ environment: {} })
  const email = 'ada@example.com'
  const artifact = bytesBlobSource('artifact', new TextEncoder().encode('the artifact'))
  const signer = keylessSigner(issuer.token(email), { client, config, trustedRoot, nowMs: Date.now })
  const { bundle } = await signBlob(artifact, signer)
  const exact = (value: string): { readonly kind: 'exact'; readonly value: string } => ({ kind: 'exact', value })
  const required = { kind: 'required' } as const
  return verifyBlob({
    artifact,
    evidence: bundle,
    policy: {
      signer: { kind: 'identities', identities: [{ issuer: exact('https://issuer.example.com'), subject: exact(email) }] },
      content: { kind: 'signature' },
      log: required,
      sct: required,
      signedTimestamp: required,
      claims: required,
    },
    trustedRoot,
    nowMs: Date.now(),
  })
}
