import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { referencePages } from '../../scripts/api-reference.ts'
import { read, root } from './source.ts'

const advice = 'run: node --conditions=source scripts/api-reference.ts'

describe('the reference in docs/reference', () => {
  it('is what the TSDoc of the public names and --help say', async () => {
    const stale = [...(await referencePages())].flatMap(([path, text]) =>
      existsSync(join(root, path)) && read(path) === text ? [] : [`${path} is out of date; ${advice}`],
    )
    expect(stale).toEqual([])
  })

  it('describes every public name, and names no path of a machine', async () => {
    const pages = await referencePages()
    const bare = [...pages].flatMap(([path, text]) =>
      path.endsWith('commands.md')
        ? []
        : text
            .split(/^## /m)
            .slice(1)
            .filter((entry) => /^\S+\n\n`[^`]+`\n\n```/.test(entry))
            .map((entry) => `${path}: ${entry.split('\n', 1)[0]}`),
    )
    expect(bare).toEqual([])
    expect([...pages.values()].filter((text) => text.includes(root) || /\/home\/|\/root\//.test(text))).toEqual([])
  })
})
