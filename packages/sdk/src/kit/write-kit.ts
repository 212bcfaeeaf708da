/**
 * `countersign kit`: everything that a client of one installation needs, in one folder.
 *
 * Only the root is taken on somebody's word (its checksum, or that it comes from this machine). Everything else comes out of the TUF repository
 * that this root vouches for; nothing that the page of the kit shows is believed.
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { gitsignEnvironment, kitFiles } from '@countersign/core/trust/kit'
import { parseSigningConfig } from '@countersign/core/trust/signing-config'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { systemCode, unwritableFile } from '../file-failure.ts'
import { writeDurably } from '../durable-file.ts'
import { initializeStore } from '../tuf/initialize.ts'
import { type MirrorOptions, parseMirrorUrl } from '../tuf/mirror.ts'

/** What the kit shall be of. */
export type KitRequest = {
  /** The installation: its public URL. */
  readonly url: string
  /** Where to; made when it is missing. */
  readonly folder: string
  /** SHA-256 of its root, hex (or `sha512:…`), learned by another way. Needed unless the URL is on loopback. */
  readonly rootChecksum?: string
  readonly nowMs: number
}

/** What was written. */
export type WrittenKit = {
  /** Absolute. */
  readonly folder: string
  /** SHA-256 of the root in the folder, as `sha256:<hex>`: what to hand out for the next client. */
  readonly rootFingerprint: string
  readonly rootVersion: number
  /** Names of the files, in the order in which they were written. */
  readonly files: readonly string[]
}

/**
 * Fetches and verifies the trust of an installation and writes the kit. Throws `usage`, `insecure_transport` (plain http off loopback),
 * `content_altered` for another root than the checksum says, the failures of `initializeStore`, `io_failed`.
 */
export async function writeKit(request: KitRequest, options: MirrorOptions): Promise<WrittenKit> {
  const url = parseMirrorUrl(request.url, '--url')
  const folder = resolve(request.folder)
  const store = await mkdtemp(join(tmpdir(), 'countersign-kit-'))
  try {
    const { rootChecksum: checksum, nowMs } = request
    const source = { root: `${url}/kit/root.json`, ...(checksum === undefined ? {} : { checksum }) }
    const initialized = await initializeStore({ folder: store, mirror: `${url}/tuf`, nowMs, ...source }, options)
    const read = (name: string): Promise<Uint8Array> =>
      readFile(join(initialized.mirrorFolder, name)).then((bytes) => new Uint8Array(bytes))
    if (!initialized.targets.includes('signing_config.v0.2.json')) {
      throw new CountersignError('trust_missing', 'the TUF mirror distributes no signing_config.v0.2.json')
    }
    const [root, trustedRoot] = [await read('root.json'), await read('targets/trusted_root.json')]
    const signingConfig = await read('targets/signing_config.v0.2.json')
    const config = parseSigningConfig(signingConfig)
    const files = new Map<string, Uint8Array>([
      ['root.json', root],
      ['trusted_root.json', trustedRoot],
      ['signing_config.json', signingConfig],
      ...kitFiles({ root: parseTrustedRoot(trustedRoot), config }),
      // Last: who finds it finds everything that it names.
      ['env.sh', Buffer.from(gitsignEnvironment(config, folder))],
    ])
    await writeAll(folder, files)
    const digest = createHash('sha256').update(root).digest('hex')
    return { folder, rootFingerprint: `sha256:${digest}`, rootVersion: initialized.versions.root, files: [...files.keys()] }
  } finally {
    await rm(store, { recursive: true, force: true })
  }
}

async function writeAll(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    for (const [name, bytes] of files) await writeDurably(join(folder, name), bytes)
  } catch (cause) {
    throw systemCode(cause) === undefined ? cause : unwritableFile(folder, cause)
  }
}
