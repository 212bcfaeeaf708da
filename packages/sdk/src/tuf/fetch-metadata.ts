/** One update from a mirror into an empty folder: the workflow of the TUF specification (§5), by `tuf-js`, over our transport. */
import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import type { Fetcher, Updater } from 'tuf-js'
import { tufFailure } from './failure.ts'
import type { MirrorReader } from './mirror.ts'
import { readRole, targetHashes, tufLimits } from './store.ts'

/** Targets that are fetched: what cosign knows, and no name that could be a path. */
const wanted = /^(?:trusted_root|signing_config[A-Za-z0-9_.-]{0,60})\.json$/
const maxTargets = 16

/**
 * Updates the metadata in `folder`, which holds the root to start from and what is known of the other roles, and downloads into
 * `folder/targets`. Gives the names of the targets. Throws `tuf_expired`, `tuf_rolled_back`, `tuf_unsigned`, `tuf_malformed`,
 * `content_altered`, `limit_exceeded`, `trust_missing` when the mirror distributes no trusted root, and the failures of the mirror.
 */
export async function fetchMetadata(mirror: MirrorReader, url: string, folder: string): Promise<readonly string[]> {
  const [{ Updater: TufUpdater }, { DownloadHTTPError }] = await Promise.all([import('tuf-js'), import('tuf-js/dist/error.js')])
  // The client's own words hide what the transport said.
  const failed: { first?: unknown } = {}
  const read = async (at: string, maxBytes: number): Promise<Uint8Array> => {
    const bytes = await mirror.read(at, maxBytes).catch((cause: unknown) => {
      failed.first ??= cause
      throw cause
    })
    if (bytes !== undefined) return bytes
    if (!/\/[0-9]+\.root\.json$/.test(at)) {
      failed.first ??= new CountersignError('tuf_unreachable', `the TUF mirror does not have ${at}`, {
        hint: 'Check that --mirror names a TUF repository.',
      })
    }
    throw new DownloadHTTPError('not there', 404)
  }
  const fetcher: Fetcher = {
    downloadBytes: async (at, maxBytes) => Buffer.from(await read(at, maxBytes)),
    downloadFile: async (at, maxBytes, handler) => {
      const file = join(folder, `${randomUUID()}.tmp`)
      await writeFile(file, await read(at, Math.min(maxBytes, tufLimits.target)))
      try {
        return await handler(file)
      } finally {
        await rm(file, { force: true })
      }
    },
  }
  const config = {
    rootMaxLength: tufLimits.root,
    timestampMaxLength: tufLimits.timestamp,
    snapshotMaxLength: tufLimits.snapshot,
    targetsMaxLength: tufLimits.targets,
  }
  try {
    const targetDir = join(folder, 'targets')
    const updater = new TufUpdater({
      metadataDir: folder,
      metadataBaseUrl: url,
      targetDir,
      targetBaseUrl: `${url}/targets`,
      fetcher,
      config,
    })
    await updater.refresh()
    return await fetchTargets(updater, folder)
  } catch (cause) {
    throw failed.first === undefined ? tufFailure(cause) : tufFailure(failed.first)
  }
}

async function fetchTargets(updater: Updater, folder: string): Promise<readonly string[]> {
  const targets = await readRole(folder, 'targets')
  const listed = targets === undefined ? [] : [...targetHashes(targets).keys()].filter((name) => wanted.test(name))
  const names = [...new Set(['trusted_root.json', ...listed.slice(0, maxTargets)])]
  const fetched: string[] = []
  for (const name of names) {
    const info = await updater.getTargetInfo(name)
    if (info === undefined) continue
    if (info.length > tufLimits.target) {
      throw new CountersignError('limit_exceeded', `the target ${name} has ${info.length} bytes, more than ${tufLimits.target}`)
    }
    await updater.downloadTarget(info, join(folder, 'targets', name))
    fetched.push(name)
  }
  if (fetched[0] === 'trusted_root.json') return fetched
  throw new CountersignError('trust_missing', 'the TUF mirror distributes no trusted_root.json', {
    found: [...listed, ...fetched].join(', ').slice(0, 200) || 'no target that is known here',
    hint: 'Ask whoever runs the mirror to add it, or give a trusted root with --trusted-root.',
  })
}
