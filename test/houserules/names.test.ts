import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { docBefore, exportsOf, files, lineAt, parse, productionFiles, read, root } from './source.ts'

const publicIndexes = ['packages/core/src/index.ts', 'packages/sdk/src/index.ts']

describe('the names of files and folders', () => {
  it('say what is inside: none is called utils, helpers, common, misc or shared', () => {
    const drawers = /(^|\/)(utils?|helpers|common|misc|shared)(\.[a-z.]+)?(\/|$)/
    expect(files().filter((path) => drawers.test(path))).toEqual([])
  })

  it("are imported themselves: only a package's public door is an index.ts", () => {
    expect(files().filter((path) => path.endsWith('/index.ts') && !publicIndexes.includes(path))).toEqual([])
  })
})

describe('exported names', () => {
  const exported = productionFiles().flatMap((path) => {
    const text = read(path)
    return exportsOf(parse(text)).map((one) => ({ ...one, path, line: lineAt(text, one.start), doc: docBefore(text, one.start) }))
  })

  it('each have a TSDoc comment', () => {
    expect(exported.filter((one) => one.doc === undefined).map((one) => `${one.path}:${one.line} ${one.name}`)).toEqual([])
  })

  it('mean one thing: no error class or type name is exported by two files', () => {
    const places = new Map<string, string[]>()
    for (const one of exported) {
      if (one.kind !== 'ClassDeclaration' && one.kind !== 'TSTypeAliasDeclaration' && one.kind !== 'TSInterfaceDeclaration') continue
      places.set(one.name, [...(places.get(one.name) ?? []), one.path])
    }
    expect([...places].filter(([, where]) => where.length > 1)).toEqual([])
  })

  it('include one error class, in core/failure.ts', () => {
    const errors = productionFiles().filter((path) => /class \w+ extends \w*Error\b/.test(read(path)))
    expect(errors).toEqual(['packages/core/src/failure.ts'])
  })
})

describe('every committed file', () => {
  const texts = files()
    .filter((path) => path !== 'package-lock.json' && !/\.(der|tar|gz|png)$/.test(path))
    .map((path) => ({ path, text: read(path) }))

  it('names no folder of the machine that it was written on', () => {
    const guilty = texts.filter(({ text }) => text.includes(`${root}/`) || mentions(text, `${homedir()}/`))
    expect(root.split('/').length <= 2 ? [] : guilty.map(({ path }) => path)).toEqual([])
  })

  it('leaves no work for later in a comment', () => {
    const marks = new RegExp(`\\b(${['TO', 'FIX', 'X'].map((start, index) => start + (['DO', 'ME', 'XX'][index] ?? '')).join('|')})\\b`)
    expect(texts.filter(({ text }) => marks.test(text)).map(({ path }) => path)).toEqual([])
  })

  it('runs every test: none is marked only, and none is left to be written', () => {
    const marks = /\b(?:it|test|describe)\.(?:only|todo)\b/
    expect(texts.filter(({ path, text }) => path.endsWith('.test.ts') && marks.test(text)).map(({ path }) => path)).toEqual([])
  })
})

describe('the lock file', () => {
  it('pins every package that is installed by hash, and names no registry', () => {
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>
    }
    const installed = Object.entries(lock.packages).filter(([path, entry]) => path.startsWith('node_modules/') && entry.link !== true)
    // Optional parts for other platforms are named without a hash where the registry at hand did not have them.
    const unpinned = installed.filter(([path, entry]) => entry.integrity === undefined && existsSync(join(root, path)))
    expect(unpinned.map(([path]) => path)).toEqual([])
    const addressed = installed.filter(([, entry]) => /^https?:/.test(entry.resolved ?? ''))
    expect(addressed.map(([path]) => path)).toEqual([])
  })

  it('belongs to direct dependencies that are pinned to one version', () => {
    const manifests = files().filter((path) => /(^|\/)package\.json$/.test(path))
    const loose = manifests.flatMap((path) => {
      const manifest = JSON.parse(read(path)) as Record<string, Record<string, string> | undefined>
      return ['dependencies', 'devDependencies', 'optionalDependencies']
        .flatMap((field) => Object.entries(manifest[field] ?? {}))
        .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
        .map(([name, version]) => `${path}: ${name}@${version}`)
    })
    expect(loose).toEqual([])
  })
})

/** Whether a path occurs as a path of its own, not as the end of a longer one. */
function mentions(text: string, path: string): boolean {
  for (let at = text.indexOf(path); at !== -1; at = text.indexOf(path, at + 1)) {
    if (at === 0 || !/[\w.@/-]/.test(text.charAt(at - 1))) return true
  }
  return false
}
