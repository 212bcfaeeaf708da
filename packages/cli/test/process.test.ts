import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

const program = `
  import { runCommandLine } from ${JSON.stringify(new URL('../src/process.ts', import.meta.url).href)}
  await runCommandLine(['version'], () => new Promise(() => {}))
`

describe('a run that can never end', () => {
  it('exits 1 and says so, and not with the 13 of Node, which is a denial', () => {
    const { status, stderr } = spawnSync(process.execPath, ['--conditions=source', '--input-type=module', '--eval', program], {
      encoding: 'utf8',
    })
    expect(stderr).toMatch(/^countersign: the command ended before its work was done/)
    expect(status).toBe(1)
  })
})
