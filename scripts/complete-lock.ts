/**
 * Completes `package-lock.json` after `npm install`: `npm run lock`.
 *
 * Tools bring one optional package for each platform. A registry that lacks some of them makes npm leave these out of the lock, and `npm ci`
 * then refuses the lock on every platform. An entry with name, version and platform is enough for it; npm skips it elsewhere.
 */
import { readFileSync, writeFileSync } from 'node:fs'

type Entry = {
  readonly version?: string
  readonly dev?: boolean
  readonly license?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const systems = new Set(['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'])
const processors = new Set(['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'])

const file = 'package-lock.json'
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> }
const added: string[] = []
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    // Beside the tool that brings it: another version of the tool may have brought another version of it to the top.
    const at = `${path.slice(0, path.lastIndexOf('node_modules/'))}node_modules/${name}`
    const there = [at, `${path}/node_modules/${name}`, `node_modules/${name}`]
    const isExact = /^[0-9]/.test(version)
    if (there.some((place) => place in lock.packages && (!isExact || lock.packages[place]?.version === version))) continue
    lock.packages[at] = absent(name, version, entry)
    added.push(name)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(`${added.length} entries added for other platforms\n`)

/** The platform is in the name, e.g. `@oxlint/binding-linux-arm64-musl`. */
function absent(name: string, version: string, parent: Entry): Entry & Record<string, unknown> {
  const words = name
    .replace(/^@[^/]+\//, '')
    .replace('wasm32-wasi', 'wasm32')
    .split('-')
  const system = words.find((word) => systems.has(word))
  const processor = words.find((word) => processors.has(word))
  if (system === undefined && processor === undefined) {
    throw new TypeError(`${name} is optional, is not in the lock, and its name tells no platform: install it first`)
  }
  const libc = system === 'linux' ? (words.includes('musl') ? ['musl'] : ['glibc']) : undefined
  return {
    version,
    ...(processor === undefined ? {} : { cpu: [processor] }),
    ...(parent.dev === true ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc }),
    ...(parent.license === undefined ? {} : { license: parent.license }),
    optional: true,
    ...(system === undefined ? {} : { os: [system] }),
  }
}
