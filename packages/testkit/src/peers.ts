/** The real tools that we are measured against, where this machine has them. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * The path of a tool: in `PEERS_BIN`, in the caches where the peers are unpacked, or on PATH; `undefined` when it is nowhere.
 */
export function findPeer(name: string, environment: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const caches = ['countersign-peers', 'signing-peers'].map((folder) => join(homedir(), '.cache', folder, 'root', 'usr', 'bin'))
  const folders = [environment['PEERS_BIN'] ?? '', ...caches, ...(environment['PATH'] ?? '').split(delimiter)]
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
}
