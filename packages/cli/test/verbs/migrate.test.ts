import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { derUtf8String } from '@countersign/core/der/writer'
import { buildSimpleSigning } from '@countersign/core/oci/simple-signing'
import { encodePem } from '@countersign/core/pem'
import { createLayoutRepository } from '@countersign/sdk/layout/layout-repository'
import { writeLegacyLayer } from '@countersign/sdk/write/legacy-writer'
import { pushImage } from '@countersign/testkit/image-fixture'
import { sha256Digest } from '@countersign/testkit/memory-repository'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { extension, extensions, issue, nameOf, newKey } from '../../../core/test/x509/issue.ts'
import { migrateCommand } from '../../src/commands/migrate.ts'
import { migrate } from '../../src/verbs/migrate.ts'
import { invocationOf } from '../demands/invocation.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-migrate-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('says who must sign again by the certificate of a legacy signature, or that it is the holder of a key', async () => {
  const repository = await createLayoutRepository(join(folder, 'image'))
  const subject = await pushImage(repository, 'hello', '1.0')
  const certificate = issue({
    issuer: { name: nameOf('ca'), key: newKey() },
    extensions: [
      extensions.email('dev@example.org'),
      extension('1.3.6.1.4.1.57264.1.8', false, derUtf8String('https://accounts.example.org')),
    ],
  })
  for (const annotations of [{ 'dev.sigstore.cosign/certificate': encodePem('CERTIFICATE', certificate) }, {}]) {
    const bytes = buildSimpleSigning({ dockerReference: 'registry.example/app', digest: subject.digest, annotations: {} })
    const descriptor = {
      mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
      digest: sha256Digest(bytes),
      size: bytes.length,
      annotations: { 'dev.cosignproject.cosign/signature': utf8ToBase64(JSON.stringify(annotations)), ...annotations },
    }
    await writeLegacyLayer(repository, subject.digest, 'sig', { bytes, descriptor, created: '2026-01-01T00:00:00Z' })
  }
  const { invocation } = invocationOf(migrateCommand, [`oci:${join(folder, 'image')}:1.0`])
  const { subjects } = await migrate(invocation)
  expect(subjects).toMatchObject([{ ok: false, failure: { code: 'migration_incomplete', outcome: 'failed' } }])
  const found = subjects[0]?.failure?.found ?? ''
  expect(found).toContain('dev@example.org (by its certificate, issuer https://accounts.example.org)')
  expect(found).toContain('the holder of its key')
  expect(subjects[0]?.failure?.hint).toContain(`countersign sign" on oci:${join(folder, 'image')}@${subject.digest}`)
})

function utf8ToBase64(text: string): string {
  return Buffer.from(utf8(text)).toString('base64')
}
