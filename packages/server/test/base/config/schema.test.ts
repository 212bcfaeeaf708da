import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configurationSchema } from '@countersign/server/main/configuration'

describe('the published schema of the configuration', () => {
  // When it is not: node --conditions=source scripts/config-schema.ts
  it('is that of the table by which it is read', () => {
    const path = join(import.meta.dirname, '../../../../../docs/schema/server-config.schema.json')
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(JSON.parse(JSON.stringify(configurationSchema())))
  })
})
