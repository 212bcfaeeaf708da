import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileBlobs } from '@countersign/server/base/blobs/file-blobs'
import { blobStoreContract } from '@countersign/testkit/contracts/blob-store'
import { registerCases } from '@countersign/testkit/contracts/contract'
import { describe, it } from 'vitest'

describe('blobs in files', () => {
  const open = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-blobs-'))
    return { port: await fileBlobs(folder), close: () => rmSync(folder, { recursive: true }) }
  }
  registerCases(it, blobStoreContract({ open }))
})
