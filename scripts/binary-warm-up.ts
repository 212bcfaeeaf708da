/**
 * Runs the bundled command as users do, and keeps what was compiled: `binary-warm-up.ts BUNDLE OUT`. Beside each piece in OUT lies its
 * compiled code. Half of what a short command costs is compiling; this has it done before.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Script } from 'node:vm'
import { parseReference } from '@countersign/core/oci/reference'
import { openRepository } from '@countersign/sdk/open-repository'
import { pushImage } from '@countersign/testkit/image-fixture'
import { startTestRegistry } from '@countersign/testkit/registry/server'

type Piece = { readonly exports: Record<string, unknown> }
type Wrapped = (exports: object, require: (id: string) => unknown, module: Piece) => void

const [bundle, out] = process.argv.slice(2).map((path) => resolve(path)) as [string, string]
const require = createRequire(import.meta.url)
const pieces = new Map<string, Piece>()
const scripts = new Map<string, Script>()

await main()

async function main(): Promise<void> {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const names = readdirSync(bundle).filter((name) => name.endsWith('.cjs'))
  for (const name of names)
    writeFileSync(join(out, name), `(function (exports, require, module) {${ascii(readFileSync(join(bundle, name), 'utf8'))}\n})`)
  const { run } = load('countersign.cjs').exports as { run: (argv: readonly string[]) => Promise<number> }
  for (const line of await lines()) {
    const code = await run(line.split(' '))
    if (code !== 0) process.exit(fail(`${line}: exit ${code}`))
  }
  for (const name of names) writeFileSync(join(out, `${name}.cache`), (scripts.get(name) ?? scriptOf(name)).createCachedData())
  process.exit(0)
}

/** What users do most: look at the help, sign and verify, in a registry and without. */
async function lines(): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-warm-up-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  process.chdir(folder)
  const registry = await startTestRegistry()
  const image = `${registry.host}/team/app:1`
  await pushImage(await openRepository(parseReference(image).place, { environment: {} }), 'warm-up', '1')
  writeFileSync('file', 'warm-up')
  writeFileSync('predicate.json', '{}')
  return [
    'version',
    'sign --help',
    'generate-key-pair',
    'sign-blob --key cosign.key --bundle file.json file',
    'verify-blob --key cosign.pub --bundle file.json file',
    `sign --key cosign.key ${image}`,
    `attest --key cosign.key --predicate predicate.json ${image}`,
    `verify --key cosign.pub ${image}`,
    `verify --key cosign.pub --report json ${image}`,
    `verify-attestation --key cosign.pub ${image}`,
    `tree ${image}`,
  ]
}

function scriptOf(name: string): Script {
  return new Script(readFileSync(join(out, name), 'latin1'), { filename: name })
}

function load(name: string): Piece {
  const known = pieces.get(name)
  if (known !== undefined) return known
  const piece: Piece = { exports: {} }
  pieces.set(name, piece)
  const script = scriptOf(name)
  scripts.set(name, script)
  const wrapped = script.runInThisContext() as Wrapped
  wrapped(piece.exports, (id) => (id.startsWith('./') ? load(id.slice(2)).exports : (require(id) as unknown)), piece)
  return piece
}

/** Text of one byte for each character is read and compiled fastest. In JavaScript an escape means the same wherever such a character may stand. */
function ascii(code: string): string {
  return code.replaceAll(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function fail(text: string): number {
  process.stderr.write(`binary-warm-up: ${text}\n`)
  return 1
}
