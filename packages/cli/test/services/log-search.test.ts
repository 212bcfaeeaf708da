import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { countersign, startServer, testFolder } from './serving.ts'

describe('log search', { timeout: 120_000 }, () => {
  it('says where and when something was logged and who signed it, of the services and of their folder', async () => {
    const folder = testFolder()
    const { ready } = await startServer(folder)
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
    const digest = createHash('sha256').update('a').digest('hex')
    const spec = {
      data: { hash: { algorithm: 'sha256', value: digest } },
      signature: {
        content: sign('sha256', Buffer.from('a'), privateKey).toString('base64'),
        publicKey: { content: Buffer.from(pem).toString('base64') },
      },
    }
    const reply = await fetch(`${ready.publicUrl}/rekor/api/v1/log/entries`, {
      method: 'POST',
      body: JSON.stringify({ kind: 'hashedrekord', apiVersion: '0.0.1', spec }),
      headers: { 'content-type': 'application/json' },
    })
    const [uuid = ''] = Object.keys((await reply.json()) as object)
    writeFileSync(join(folder, 'signer.pub'), pem)
    const key = createHash('sha256').update(pem).digest('hex')
    for (const place of [
      ['--url', ready.publicUrl],
      ['--data', 'platform'],
    ] as const) {
      const found = await countersign(folder, 'log', 'search', '--key', 'signer.pub', ...place)
      expect(found).toMatchObject({ status: 0, stderr: '' })
      expect(found.stdout).toMatch(new RegExp(`^20\\S+Z  \\d+ 0  hashedrekord 0\\.0\\.1  key ${key}  ${uuid}\\n$`))
      const told = await countersign(folder, 'log', 'search', '--digest', `sha256:${digest}`, '--report', 'json', ...place)
      expect(JSON.parse(told.stdout)).toMatchObject({ outcome: 'ok', entries: [{ uuid, index: 0, key: [key] }], complete: true })
    }
    const nothing = await countersign(folder, 'log', 'search', '--email', 'ada@example.org', '--url', ready.publicUrl)
    expect(nothing).toMatchObject({ status: 11, stdout: '' })
    for (const wrong of [[], ['--digest', 'xyz'], ['--email', 'a@b.c', '--data', 'platform']] as const)
      expect(await countersign(folder, 'log', 'search', ...wrong, '--url', ready.publicUrl)).toMatchObject({ status: 2 })
    expect(await countersign(folder, 'log', 'search', '--email', 'a@b.c', '--url', 'http://127.0.0.1:9')).toMatchObject({ status: 14 })
    expect(await countersign(folder, 'log', 'search', '--email', 'a@b.c', '--url', 'http://log.example')).toMatchObject({ status: 2 })
  })
})
