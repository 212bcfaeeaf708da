/** Serves the built core and its dependencies to a browser as they are, without a bundler, and waits for what the page found out. */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

/** What the browser asks for, and where it is. */
const folders: Readonly<Record<string, string>> = {
  '/core/': join(root, 'packages/core/dist'),
  '/modules/': join(root, 'node_modules'),
  '/page/': import.meta.dirname,
}

const imports = {
  '@countersign/core/': '/core/',
  '@noble/ciphers/': '/modules/@noble/ciphers/',
  '@noble/curves/': '/modules/@noble/curves/',
  '@noble/hashes/': '/modules/@noble/hashes/',
  re2js: '/modules/re2js/build/index.js',
}

const page = `<!doctype html><meta charset="utf-8"><title>Countersign</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="/page/verify-page.js"></script>`

/** A running server; `outcomes` settles when the page has posted them. */
export type PageServer = { readonly url: string; readonly outcomes: Promise<unknown>; readonly close: () => void }

/** Starts a server on a free loopback port. `cases` is what the page gets as `/cases.json`. */
export async function startPageServer(cases: unknown): Promise<PageServer> {
  let settle: (outcomes: unknown) => void
  const outcomes = new Promise<unknown>((resolve) => {
    settle = resolve
  })
  const server = createServer((request, response) => {
    answer(request, response, cases, (posted) => settle(posted))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, outcomes, close: () => server.close() }
}

function answer(request: IncomingMessage, response: ServerResponse, cases: unknown, posted: (outcomes: unknown) => void): void {
  const path = normalize(request.url ?? '/')
  if (request.method === 'POST') {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      response.end()
      posted(JSON.parse(Buffer.concat(parts).toString('utf8')))
    })
    return
  }
  if (path === '/') return send(response, 'text/html', page)
  if (path === '/cases.json') return send(response, 'application/json', JSON.stringify(cases))
  const prefix = Object.keys(folders).find((candidate) => path.startsWith(candidate))
  if (prefix === undefined || extname(path) !== '.js') {
    response.statusCode = 404
    response.end()
    return undefined
  }
  return send(response, 'text/javascript', readFileSync(join(folders[prefix] as string, path.slice(prefix.length))))
}

function send(response: ServerResponse, type: string, body: string | Buffer): void {
  response.setHeader('content-type', type)
  response.end(body)
}
