/** Opens a page in a real, headless Chromium and closes it again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'

/** Debian's, or the one that `COUNTERSIGN_CHROMIUM` names. */
const executable = process.env['COUNTERSIGN_CHROMIUM'] ?? '/usr/bin/chromium'

/** Nothing but the page: no profile, no update, no connection of the browser's own. */
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Whether there is a browser. Throws `usage` where CI demands one. */
export function hasChromium(): boolean {
  if (existsSync(executable)) return true
  if (process.env['CI'] === 'true') throw new CountersignError('usage', `no Chromium at ${executable}; install Debian's chromium`)
  process.stderr.write(`skipped: no Chromium at ${executable}\n`)
  return false
}

/** A running browser: where it keeps its profile, and how to end it. */
export type Chromium = { readonly profile: string; readonly close: () => Promise<void> }

/** Opens `url` in a fresh profile; closing removes the profile. */
export function openPage(url: string): Chromium {
  const profile = mkdtempSync(join(tmpdir(), 'countersign-chromium-'))
  const browser: ChildProcess = spawn(executable, [...flags, `--user-data-dir=${profile}`, '--remote-debugging-port=0', url], {
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) => {
    browser.once('exit', () => resolve())
  })
  return {
    profile,
    close: async () => {
      browser.kill()
      await ended
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
