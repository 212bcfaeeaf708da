import { describe, expect, it } from 'vitest'
import { productionFiles, read } from '../houserules/source.ts'
import { importCycles, namesFolder, specifiers } from './imports.ts'
import { readMap, violations } from './map.ts'

describe('docs/ARCHITECTURE.md', () => {
  const map = readMap(read('docs/ARCHITECTURE.md'))
  const tree = new Map(productionFiles().map((path) => [path, read(path)]))

  it('has a table of rooms and a table of arrows', () => {
    expect(map.rooms.length).toBeGreaterThan(10)
    expect(map.arrows.size).toBeGreaterThan(5)
  })

  it('is the truth: every room is there, every import follows an arrow, every arrow is followed, and core is pure', () => {
    expect(violations(map, tree)).toEqual([])
  })

  it('holds for imports of files by their own name, never of a folder', () => {
    const folders = [...tree].flatMap(([path, text]) =>
      specifiers(text)
        .filter(namesFolder)
        .map((name) => `${path}: ${name}`),
    )
    expect(folders).toEqual([])
  })
})

describe('the check of the map', () => {
  const map = readMap(`
| Room | Subject |
|---|---|
| \`core\` | values |
| \`core/keys\` | keys |
| \`sdk/http\` | transport |

| From | May import |
|---|---|
| \`core/keys\` | \`core\` |
| \`sdk/*\` | \`core/*\` |
`)
  const clean = new Map([
    ['packages/core/src/bytes.ts', 'export const a = 1'],
    ['packages/core/src/keys/spki.ts', "import { a } from '../bytes.ts'"],
    ['packages/sdk/src/http/client.ts', "import { b } from '@countersign/core/keys/spki'"],
  ])
  const changed = (path: string, text: string) => violations(map, new Map([...clean, [path, text]]))

  it('accepts a tree that follows the arrows', () => {
    expect(violations(map, clean)).toEqual([])
  })

  it('refuses an import against an arrow', () => {
    expect(changed('packages/core/src/bytes.ts', "import { s } from './keys/spki.ts'")).toEqual([
      'packages/core/src/bytes.ts imports packages/core/src/keys/spki.ts: no arrow from core to core/keys',
    ])
  })

  it('refuses an arrow that nothing follows', () => {
    expect(changed('packages/core/src/keys/spki.ts', 'export const b = 1')).toEqual(['nothing follows the arrow from core/keys to core'])
  })

  it('refuses the outward import that hides in a type, an import() or a re-export', () => {
    for (const text of [
      "type T = import('@countersign/sdk/http/client').T",
      "await import('@countersign/sdk/http/client')",
      "export * from '@countersign/sdk/http/client'",
    ]) {
      expect(changed('packages/core/src/keys/spki.ts', `import { a } from '../bytes.ts'\n${text}`)).toHaveLength(1)
    }
  })

  it('refuses node: in core', () => {
    expect(changed('packages/core/src/bytes.ts', "import { hash } from 'node:crypto'")).toEqual([
      'packages/core/src/bytes.ts imports node:crypto: core is pure',
    ])
  })

  it('refuses a room that is not in the table, and a row without a room', () => {
    expect(changed('packages/core/src/oci/model.ts', 'export {}')).toEqual(['room core/oci is not in the table'])
    const without = new Map([...clean].filter(([path]) => !path.includes('/http/')))
    expect(violations(map, without)).toEqual(['room sdk/http is in the table and does not exist'])
  })

  it('refuses an arrow to a room that does not exist', () => {
    const wrong = { rooms: map.rooms, arrows: new Map([...map.arrows, ['core/keys', ['core', 'core/tpyo']]]) }
    expect(violations(wrong, clean)).toEqual(['an arrow names core/tpyo, which is no room'])
  })

  it('finds a circle of imports of any length, and a file that imports itself', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['a', 'd']],
      ['d', []],
      ['e', ['e']],
    ])
    expect(importCycles(graph)).toEqual([['a', 'b', 'c'], ['e']])
  })
})
