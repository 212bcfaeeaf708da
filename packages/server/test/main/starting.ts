import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ServeRequest } from '@countersign/server/main/plan'
import { serve, type Serving } from '@countersign/server/main/serve'

/** A folder that ends with the test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-serve-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A request to serve from a folder on a free port of loopback. */
export function requestFor(data: string, more: Partial<ServeRequest> = {}): ServeRequest {
  return {
    data,
    listen: '127.0.0.1:0',
    access: { environment: { HOME: data } },
    workingFolder: data,
    clock: Date.now,
    log: { write: () => undefined, isTerminal: false },
    ...more,
  }
}

/** A server that ends with the test. */
export async function serveIn(data: string, more: Partial<ServeRequest> = {}): Promise<Serving> {
  const serving = await serve(requestFor(data, more))
  onTestFinished(async () => {
    await serving.stop()
  })
  return serving
}
