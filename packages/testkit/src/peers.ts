/** The real tools that we are measured against, where this machine has them. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The path of a tool: where `scripts/install-peers` puts it, or on PATH; `undefined` when it is nowhere. */
export function findPeer(name: string, environment: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const installed = environment['COUNTERSIGN_PEERS'] ?? join(homedir(), '.cache', 'countersign-peers')
  return [join(installed, 'usr', 'bin'), ...(environment['PATH'] ?? '').split(delimiter)]
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
}
