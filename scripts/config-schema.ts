/** Writes the schema of the server's configuration from the table by which it is read; a test says when to run it: `node --conditions=source scripts/config-schema.ts`. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { configurationSchema } from '@countersign/server/main/configuration'

const root = resolve(import.meta.dirname, '..')
const path = resolve(root, 'docs/schema/server-config.schema.json')
writeFileSync(path, `${JSON.stringify(configurationSchema(), undefined, 2)}\n`)
// As every other file here is formatted.
execFileSync(resolve(root, 'node_modules/.bin/oxfmt'), [path])
