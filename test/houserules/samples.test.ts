import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { docSamples, markdownSamples, type Sample } from './samples.ts'
import { exportsOf, files, parse, productionFiles, read, root } from './source.ts'

const guides = files('*.md', 'docs').flatMap((path) => (path.endsWith('.md') ? markdownSamples(path, read(path)) : []))
const comments = productionFiles().flatMap((path) => docSamples(path, read(path)))

describe('the samples in documents and comments', () => {
  it('compile as they stand in a guide', { timeout: 60_000 }, () => {
    expect(compile(guides)).toEqual([])
  })

  it('compile in a comment, where the exports of that file and the usual names are at hand', { timeout: 60_000 }, () => {
    expect(compile(comments, scopeOf(comments))).toEqual([])
  })

  it('are found in Markdown and in TSDoc, and one that does not compile is reported with its place', { timeout: 60_000 }, () => {
    const wrong = '```ts\nconst a: number = 1\n```\n\n```ts\nconst b: string = 1\n```\n'
    const comment = '/**\n * Text.\n *\n * @example\n * ```ts\n * const c: string = 2\n * ```\n */\nexport const x = 1\n'
    const found = [...markdownSamples('guide.md', wrong), ...docSamples('a.ts', comment)]
    expect(found.map(({ path, line }) => `${path}:${line}`)).toEqual(['guide.md:2', 'guide.md:6', 'a.ts:6'])
    expect(compile(found).map((error) => error.split(' ')[0])).toEqual(['guide.md:6', 'a.ts:6'])
  })
})

/** Names that a comment's sample may use without saying where they come from. */
const usual = {
  signer: "import('@countersign/sdk/sign/signer').Signer",
  image: "import('@countersign/core/oci/reference').ImageReference",
  connection: "import('@countersign/sdk/connection').Connection",
  policy: "import('@countersign/core/verify/policy').VerifyPolicy",
  trustedRoot: "import('@countersign/core/trust/model').TrustedRoot",
  repository: "import('@countersign/sdk/registry/repository').Repository",
  digest: "import('@countersign/core/digest').Digest",
  bytes: 'Uint8Array',
  bundle: 'Uint8Array',
  predicate: 'Uint8Array',
  sbom: 'Uint8Array',
}

/** Declares the usual names, and the values and plain types that a file with samples exports. */
function scopeOf(list: readonly Sample[]): string {
  const names = new Map<string, string>(Object.entries(usual))
  const types = new Map<string, string>()
  for (const path of new Set(list.map((sample) => sample.path))) {
    const [, name, file] = /^packages\/([^/]+)\/src\/(.*)\.ts$/.exec(path) ?? []
    for (const one of exportsOf(parse(read(path)))) {
      if (/^(Function|Variable|Class)Declaration$/.test(one.kind))
        names.set(one.name, `typeof import('@countersign/${name}/${file}').${one.name}`)
      if (one.kind === 'TSTypeAliasDeclaration' && list.some(({ path: at, code }) => at === path && code.includes(one.name)))
        types.set(one.name, `import('@countersign/${name}/${file}').${one.name}`)
    }
  }
  const values = [...names].map(([name, type]) => `  const ${name}: ${type}\n`)
  return `export {}\ndeclare global {\n${values.join('')}${[...types].map(([name, type]) => `  type ${name} = ${type}\n`).join('')}}\n`
}

/** Type-checks samples as modules of the workspace, and says where each error is. */
function compile(list: readonly Sample[], scope = ''): string[] {
  if (list.length === 0) return []
  const folder = join(root, '.cache', `samples-${process.pid}-${scope.length}-${list.length}`)
  mkdirSync(folder, { recursive: true })
  try {
    for (const [index, sample] of list.entries()) writeFileSync(join(folder, `s${index}.ts`), `${sample.code}\nexport {}\n`)
    writeFileSync(join(folder, 'scope.d.ts'), scope)
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.json',
        compilerOptions: { isolatedDeclarations: false, noUnusedLocals: false, declaration: false },
        include: ['*.ts'],
      }),
    )
    const run = spawnSync(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '--pretty', 'false', '-p', folder], {
      encoding: 'utf8',
      cwd: folder,
    })
    const errors = run.stdout.split('\n').flatMap((line) => {
      const match = /(?:^|\/)s(\d+)\.ts\((\d+),\d+\): (.*)$/.exec(line)
      const sample = list[Number(match?.[1])]
      return match === null || sample === undefined ? [] : [`${sample.path}:${sample.line + Number(match[2]) - 1} ${match[3]}`]
    })
    return run.status === 0 ? [] : errors.length > 0 ? errors : [`tsc failed: ${run.stdout}${run.stderr}`]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
