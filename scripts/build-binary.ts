/**
 * Builds the single-file executable for this platform into `dist/countersign`: Node itself, the command in pieces, and their compiled code
 * (see docs/adr/0009-single-file-executable.md).
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { inject } from 'postject'
import { build } from 'tsdown'
import { chunks } from '../tsdown.config.ts'

const root = resolve(import.meta.dirname, '..')
const target = join(root, 'dist/countersign')
const work = mkdtempSync(join(tmpdir(), 'countersign-binary-'))

try {
  await bundle(join(work, 'bundle'))
  step('warm-up', [
    process.execPath,
    '--conditions=source',
    join(root, 'scripts/binary-warm-up.ts'),
    join(work, 'bundle'),
    join(work, 'pieces'),
  ])
  await assemble(join(work, 'pieces'))
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** One script for each group of modules that are loaded together. Functions in one scope cost time though nobody calls them. */
async function bundle(folder: string): Promise<void> {
  await build({
    config: false,
    cwd: join(root, 'packages/cli'),
    entry: { countersign: 'src/executable.ts' },
    outDir: folder,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    dts: false,
    minify: true,
    logLevel: 'error',
    // The services are not in it: their verbs say so before they would load them.
    deps: { alwaysBundle: [/^(?!@countersign\/server\/)/], neverBundle: [/^@countersign\/server\//] },
    inputOptions: { resolve: { conditionNames: ['source', 'node', 'import', 'default'] }, checks: { ineffectiveDynamicImport: false } },
    outputOptions: { codeSplitting: { groups: [...chunks] } },
    plugins: [{ name: 'builtins', transform: builtinsAtOnce }],
  })
}

/** A script outside of a file cannot `import()`. The bundler requires pieces in place of it; this does it with built-in modules. */
function builtinsAtOnce(code: string): string {
  return code.replaceAll(
    /\bimport\((['"])(node:[a-z_/]+)\1\)/g,
    'Promise.resolve(((it) => Object.create(it, { default: { value: it } }))(globalThis.process.getBuiltinModule("$2")))',
  )
}

/** Node, without its symbols, with the pieces in it. Symbols go first: taking them out afterwards would tear the pieces. */
async function assemble(pieces: string): Promise<void> {
  const blob = join(work, 'pieces.blob')
  const config = {
    main: join(root, 'scripts/binary-start.cjs'),
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets: Object.fromEntries(readdirSync(pieces).map((name) => [name, join(pieces, name)])),
  }
  writeFileSync(join(work, 'sea.json'), JSON.stringify(config))
  step('sea config', [process.execPath, '--experimental-sea-config', join(work, 'sea.json')])
  mkdirSync(join(root, 'dist'), { recursive: true })
  const unfinished = `${target}.new`
  copyFileSync(process.execPath, unfinished)
  if (spawnSync('strip', [unfinished]).status !== 0)
    process.stderr.write('strip is missing or failed: the executable keeps the symbols of Node\n')
  await injectQuietly(unfinished, readFileSync(blob))
  renameSync(unfinished, target)
  step('the executable', [target, 'version'])
  process.stdout.write(`${target} (${Math.round(statSync(target).size / 1e6)} MB)\n`)
}

/** postject says on stderr of every section of Node that it does not know it. */
async function injectQuietly(file: string, data: Uint8Array): Promise<void> {
  const [warn, error] = [console.warn, console.error]
  console.warn = console.error = () => undefined
  try {
    await inject(file, 'NODE_SEA_BLOB', data, { sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2' })
  } finally {
    ;[console.warn, console.error] = [warn, error]
  }
}

function step(what: string, words: readonly [string, ...string[]]): void {
  const { status, stderr, error } = spawnSync(words[0], words.slice(1), {
    encoding: 'utf8',
    env: { ...process.env, COUNTERSIGN_PASSWORD: 'warm-up', COUNTERSIGN_PROFILE: 'none' },
  })
  if (status === 0) return
  process.stderr.write(`build-binary: ${what} failed\n${stderr}${error === undefined ? '' : `${error.message}\n`}`)
  rmSync(work, { recursive: true, force: true })
  process.exit(1)
}
