/** Writes the schema of the server's configuration from the table by which it is read; a test says when to run it: `node --conditions=source scripts/config-schema.ts`. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { configurationSchema } from '@countersign/server/main/configuration'

const path = resolve(import.meta.dirname, '../docs/schema/server-config.schema.json')
writeFileSync(path, `${JSON.stringify(configurationSchema(), undefined, 2)}\n`)
