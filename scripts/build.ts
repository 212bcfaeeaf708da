/**
 * Builds every package into its `dist`. Runs as `prepare`, so that a fresh `npm ci` leaves a working `npx countersign`.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'

const built = spawnSync('tsdown', ['--log-level', 'warn'], { stdio: 'inherit' })
if (built.status !== 0) process.exit(built.status ?? 1)
for (const bin of ['countersign.js', 'countersign-conformance.js']) {
  const path = `packages/cli/bin/${bin}`
  if (existsSync(path)) chmodSync(path, 0o755)
}
