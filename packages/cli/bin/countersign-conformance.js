#!/usr/bin/env node
// Plain JavaScript that Node 20 reads too, so that an old Node gets one clear line (require-node.js) and not a syntax error.
// oxlint-disable-next-line import/no-unassigned-import -- imported for what it does: it ends an old Node
import './require-node.js'
import { existsSync } from 'node:fs'

const main = new URL('../dist/conformance.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write('countersign-conformance: it is not built yet\n  Run "npm ci" or "npm run build" in the checkout.\n')
  process.exitCode = 1
}
