/** People who sign: the pages of an installation in a real browser, while our client waits for the login. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { binary, expectExit, type Outcome, shown } from '../interop/command.ts'
import { type Installation, startInstallation } from '../interop/installation.ts'
import { hasChromium } from './chromium.ts'
import { type BrowserPage, openBrowser } from './devtools.ts'

const password = 'correct horse battery'

describe.skipIf(!hasChromium())('the pages of an installation, in Chromium', () => {
  let place: Installation
  let page: BrowserPage

  beforeAll(async () => {
    ;[place, page] = await Promise.all([startInstallation(), openBrowser()])
    writeFileSync(join(place.folder, 'file.txt'), 'hello\n')
    writeFileSync(join(place.folder, 'root.json'), await (await fetch(`${place.url}/kit/root.json`)).text())
    expectExit(await place.ours(['initialize', '--mirror', `${place.url}/tuf`, '--root', 'root.json']), 0, 'initialize')
  })

  afterAll(async () => {
    await page?.close()
    await place?.stop()
  })

  /** Signs in a process of its own; gives the address that it shows, and its end. */
  async function signing(
    flow: 'normal' | 'device',
  ): Promise<{ readonly address: string; readonly said: () => string; readonly ended: Promise<Outcome> }> {
    const args = [binary, 'sign-blob', '--fulcio-auth-flow', flow, '--bundle', `${flow}.json`, 'file.txt']
    const child = spawn(process.execPath, args, { cwd: place.folder, env: { PATH: process.env['PATH'], ...place.env }, stdio: 'pipe' })
    let stderr = ''
    const address = new Promise<string>((resolve) => {
      child.stderr.on('data', (part: Buffer) => {
        stderr += part.toString()
        const found = /(?:Log in at|Open) (\S+)\n/.exec(stderr)?.[1]
        if (found !== undefined) resolve(found)
      })
    })
    const ended = new Promise<Outcome>((resolve) => child.once('close', (code) => resolve({ code: code ?? -1, stdout: '', stderr })))
    return { address: await Promise.race([address, ended.then(() => stderr)]), said: () => stderr, ended }
  }

  async function verified(bundle: string): Promise<void> {
    const who = ['--certificate-identity=ada@example.org', `--certificate-oidc-issuer=${place.issuer}`]
    expect(shown(await place.ours(['verify-blob', '--bundle', bundle, ...who, 'file.txt']))).toBe('exit 0')
  }

  it('lets a new account choose its password, once', async () => {
    const made = await place.ours(['account', 'create', 'ada', '--email', 'ada@example.org', '--data', place.data])
    const link = expectExit(made, 0, 'account create').stdout.trim()
    await page.goto(link)
    await page.shows('Welcome, ada')
    await page.picture('welcome')
    await page.type('#password', password)
    await page.click('button')
    await page.shows('log in as ada')
    await page.picture('welcome-done')
    await page.goto('about:blank')
    await page.goto(link)
    expect(await page.shows('This link has ended')).not.toContain('Welcome')
    await page.picture('welcome-again')
  })

  it('signs as who logs in on the page that the client opens', async () => {
    const { address, ended } = await signing('normal')
    await page.goto(address)
    await page.shows('Log in')
    await page.picture('login')
    await page.type('#name', 'ada')
    await page.type('#password', 'not the password')
    await page.click('button')
    await page.shows('is wrong.')
    await page.picture('login-refused')
    await page.evaluate('document.querySelector("#name").value = ""')
    await page.type('#name', 'ada')
    await page.type('#password', password)
    await page.click('button')
    await page.shows('You are logged in')
    await page.picture('login-done')
    expect(shown(await ended)).toBe('exit 0')
    await verified('normal.json')
  })

  it('asks who is logged in already, and signs once that person says so', async () => {
    const { address, ended } = await signing('normal')
    await page.goto(address)
    expect(await page.shows('ada@example.org')).toContain('If you did not start it')
    await page.picture('continue')
    await page.click('button')
    await page.shows('You are logged in')
    expect(shown(await ended)).toBe('exit 0')
    await verified('normal.json')
  })

  it('signs as who enters the code that a client without a browser shows', async () => {
    const { address, ended, said } = await signing('device')
    const code = /enter the code (\S+)/.exec(said())?.[1] ?? ''
    await page.goto(new URL('/oidc/device', address).href)
    await page.shows('code')
    await page.picture('device')
    await page.goto(address)
    await page.shows(code)
    await page.picture('device-confirm')
    await page.click('button')
    await page.shows('ada@example.org')
    await page.picture('device-continue')
    await page.click('button')
    await page.shows('You')
    await page.picture('device-done')
    expect(shown(await ended)).toBe('exit 0')
    await verified('device.json')
  })

  it('shows the kit: the checksum to compare, and commands to copy', async () => {
    await page.goto(`${place.url}/kit`)
    expect(await page.shows('cosign initialize')).toContain('SHA-256 of root.json')
    await page.picture('kit')
    expect(await page.evaluate('getComputedStyle(document.body).fontFamily')).not.toContain('Times')
  })
})
