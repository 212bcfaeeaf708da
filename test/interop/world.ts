/** What every interoperability test stands on: a folder, keys that both tools hold, predicates, configuration without services. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expectExit, homeFor, runTool, type Outcome, type RunOptions, type Tool } from './command.ts'

/** The keys of the matrix. */
export type KeyKind = 'P-256' | 'RSA-2048' | 'P-384'

/** Paths of one key pair; the private key is encrypted as cosign does. */
export type KeyFiles = { readonly private: string; readonly public: string }

/** A place to work in, and how to run both tools there. */
export type World = {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** Runs a tool in the folder. */
  readonly tool: (tool: Tool, args: readonly string[], options?: RunOptions) => Promise<Outcome>
  /** Flags that make cosign sign in the bundle format without any service; both tools know them. */
  readonly noServices: readonly string[]
  readonly key: (kind: KeyKind) => Promise<KeyFiles>
  /** Writes a file into the folder; gives its path. */
  readonly file: (name: string, content: string | Uint8Array) => string
  readonly remove: () => void
}

/** Makes a world. */
export function makeWorld(): World {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-interop-'))
  const env = homeFor(join(folder, 'home'))
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const signingConfig = file(
    'signing-config.json',
    '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}',
  )
  const tool: World['tool'] = (name, args, options = {}) =>
    runTool(name, args, { cwd: folder, ...options, env: { ...env, ...options.env } })
  const keys = new Map<KeyKind, Promise<KeyFiles>>()
  return {
    folder,
    env,
    tool,
    noServices: ['--signing-config', signingConfig, '-y'],
    key: (kind) => {
      const known = keys.get(kind) ?? importedKey(tool, file, kind)
      keys.set(kind, known)
      return known
    },
    file,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function importedKey(tool: World['tool'], file: World['file'], kind: KeyKind): Promise<KeyFiles> {
  const pem = file(`${kind}.pem`, privatePem(kind))
  // Each tool makes every second key, so that each reads what the other encrypted.
  const maker: Tool = kind === 'RSA-2048' ? 'ours' : 'cosign'
  expectExit(await tool(maker, ['import-key-pair', '-k', pem, '-o', kind, '-y']), 0, `${maker} import-key-pair ${kind}`)
  return { private: `${kind}.key`, public: `${kind}.pub` }
}

function privatePem(kind: KeyKind): string {
  const pair = kind === 'RSA-2048' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: kind })
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
