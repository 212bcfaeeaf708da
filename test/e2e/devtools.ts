/** A page of a real browser under a test's hands: the Chrome DevTools Protocol over its WebSocket, and as much of it as people do. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { openPage } from './chromium.ts'

/** What a person does with a page, and what the page is. */
export type BrowserPage = {
  readonly goto: (url: string) => Promise<void>
  /** Types into the field that a selector of CSS finds, as keys would. */
  readonly type: (selector: string, text: string) => Promise<void>
  readonly click: (selector: string) => Promise<void>
  /** Waits until the page shows this text; gives all of its text. */
  readonly shows: (text: string) => Promise<string>
  readonly url: () => Promise<string>
  /** A value of the page, by an expression of JavaScript. */
  readonly evaluate: (expression: string) => Promise<unknown>
  /** Writes a picture into the folder that `COUNTERSIGN_SCREENSHOTS` names, if it does. */
  readonly picture: (name: string) => Promise<void>
  readonly close: () => Promise<void>
}

type Answer = { readonly id?: number; readonly result?: Record<string, unknown>; readonly error?: { readonly message: string } }

const patienceMs = 20_000

/** Opens a browser with one empty page. */
export async function openBrowser(): Promise<BrowserPage> {
  const chromium = openPage('about:blank')
  const socket = new WebSocket(await pageAddress(chromium.profile))
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer)
  })
  let last = 0
  const send = async (method: string, params: object = {}): Promise<Record<string, unknown>> => {
    const id = ++last
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params }))
    const { result, error } = await answered
    if (result === undefined) throw new CountersignError('internal', `${method}: ${error?.message ?? 'no answer'}`)
    return result
  }
  return pageOf(send, async () => {
    socket.close()
    await chromium.close()
  })
}

function pageOf(send: (method: string, params?: object) => Promise<Record<string, unknown>>, close: () => Promise<void>): BrowserPage {
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result } = (await send('Runtime.evaluate', { expression, returnByValue: true })) as { result: { value?: unknown } }
    return result.value
  }
  const text = async (): Promise<string> => String(await evaluate('document.readyState === "complete" ? document.body.innerText : ""'))
  const shows = (wanted: string): Promise<string> =>
    until(`the page shows ${JSON.stringify(wanted)}`, text, (found) => found.includes(wanted))
  return {
    goto: async (url) => void (await send('Page.navigate', { url })),
    type: async (selector, what) => {
      await evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`)
      await send('Input.insertText', { text: what })
    },
    click: async (selector) => void (await evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`)),
    shows,
    url: async () => String(await evaluate('location.href')),
    evaluate,
    picture: async (name) => {
      const folder = process.env['COUNTERSIGN_SCREENSHOTS']
      if (folder === undefined) return
      const { data } = await send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true })
      writeFileSync(join(folder, `${name}.png`), Buffer.from(String(data), 'base64'))
    },
    close,
  }
}

/** The browser writes its port into its profile once it listens. */
async function pageAddress(profile: string): Promise<string> {
  const file = join(profile, 'DevToolsActivePort')
  const port = await until(
    'the browser listens',
    async () => (existsSync(file) ? (readFileSync(file, 'utf8').split('\n')[0] ?? '') : ''),
    (found) => found !== '',
  )
  const pages = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { type: string; webSocketDebuggerUrl: string }[]
  const page = pages.find(({ type }) => type === 'page')
  if (page === undefined) throw new CountersignError('internal', 'the browser has no page')
  return page.webSocketDebuggerUrl
}

async function until(what: string, look: () => Promise<string>, done: (found: string) => boolean): Promise<string> {
  const end = performance.now() + patienceMs
  for (;;) {
    const found = await look()
    if (done(found)) return found
    if (performance.now() > end) throw new CountersignError('internal', `waited in vain until ${what}; found ${found.slice(0, 500)}`)
    await wait(50)
  }
}
