/** How the command line reads keys: plain files at once. */
import { readFileSync, statSync } from 'node:fs'
import type { KeyIo } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'

/**
 * As the SDK reads keys, but a plain file without its detour through streams and threads: everything that signing does waits for the key.
 * Pipes and devices, which may keep us waiting or have no end, are left to the SDK.
 */
export function commandKeyIo(environment: Readonly<Record<string, string | undefined>>): KeyIo {
  const io = nodeKeyIo(environment)
  return { ...io, readFile: async (path, maxBytes) => readPlainFile(path, maxBytes) ?? io.readFile(path, maxBytes) }
}

function readPlainFile(path: string, maxBytes: number): Uint8Array | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found?.isFile() === true && found.size > 0 && found.size <= maxBytes ? readFileSync(path) : undefined
  } catch {
    // The SDK meets the same failure, and gives it its code.
    return undefined
  }
}
