#!/usr/bin/env node
// Plain JavaScript that Node 20 reads too, so that an old Node gets one clear line (require-node.js) and not a syntax error.
// oxlint-disable-next-line import/no-unassigned-import -- imported for what it does: it ends an old Node
import './require-node.js'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { isAbsolute, join } from 'node:path'

const main = new URL('../dist/main.js', import.meta.url)
if (existsSync(main)) {
  keepCompiledCode()
  await import(main.href)
} else {
  process.stderr.write('countersign: it is not built yet\n  Run "npm ci" or "npm run build" in the checkout.\n')
  process.exitCode = 1
}

/**
 * Compiled code is kept between runs: loading is most of what a short command costs.
 * Only in the user's own folder: Node's default lies in the common temporary folder, where another user could have put other code first.
 */
function keepCompiledCode() {
  const { XDG_CACHE_HOME, HOME, USERPROFILE, NODE_COMPILE_CACHE } = process.env
  const cache = XDG_CACHE_HOME || join(HOME || USERPROFILE || '', '.cache')
  if (NODE_COMPILE_CACHE !== undefined || module.enableCompileCache === undefined || !isAbsolute(cache)) return
  module.enableCompileCache(join(cache, 'countersign', 'compiled'))
}
