#!/usr/bin/env node
// Plain JavaScript that Node 20 reads too, so that an old Node gets one clear line (require-node.js) and not a syntax error.
// oxlint-disable-next-line import/no-unassigned-import -- imported for what it does: it ends an old Node
import './require-node.js'
import { existsSync } from 'node:fs'
import module from 'node:module'

const main = new URL('../dist/main.js', import.meta.url)
if (existsSync(main)) {
  // Compiled code is kept between runs: loading is most of what a short command costs.
  if (module.enableCompileCache !== undefined) module.enableCompileCache()
  await import(main.href)
} else {
  process.stderr.write('countersign: it is not built yet\n  Run "npm ci" or "npm run build" in the checkout.\n')
  process.exitCode = 1
}
