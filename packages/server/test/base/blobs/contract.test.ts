import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileBlobs } from '@countersign/server/base/blobs/file-blobs'
import { s3Blobs } from '@countersign/server/base/blobs/s3-blobs'
import { blobStoreContract } from '@countersign/testkit/contracts/blob-store'
import { registerCases } from '@countersign/testkit/contracts/contract'
import { startTestS3 } from '@countersign/testkit/s3/server'
import { describe, it } from 'vitest'

describe('blobs in S3', () => {
  const open = async () => {
    const store = await startTestS3()
    const { accessKeyId, secretAccessKey, region } = store.credentials
    const port = await s3Blobs({ endpoint: store.endpoint, region, accessKeyId, secretAccessKey, prefix: 'platform/' })
    return { port, close: store.stop }
  }
  registerCases(it, blobStoreContract({ open }))
})

describe('blobs in files', () => {
  const open = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-blobs-'))
    return { port: await fileBlobs(folder), close: () => rmSync(folder, { recursive: true }) }
  }
  registerCases(it, blobStoreContract({ open }))
})
