/** `countersign kit`. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { gitsignEnvironment, kitFiles } from '@countersign/core/trust/kit'
import { parseSigningConfig } from '@countersign/core/trust/signing-config'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { initializeStore } from '@countersign/sdk/tuf/initialize'
import { parseMirrorUrl } from '@countersign/sdk/tuf/mirror'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags } from '../connection.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Fetches the trust of an installation into a folder of its own, and writes the kit from what was proven. */
export async function kit(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const named = flags.text('url')
  if (named === undefined) {
    throw new CountersignError('usage', 'it is not said of which installation the kit shall be', {
      hint: 'Give its public URL with --url.',
    })
  }
  const url = parseMirrorUrl(named, '--url')
  const folder = resolve(terminal.workingFolder, subjects[0] ?? '')
  const store = await mkdtemp(join(tmpdir(), 'countersign-kit-'))
  try {
    const checksum = flags.text('root-checksum')
    const { environment, deadlineMs, userAgent } = connectionFromFlags(invocation)
    // A store of its own: what was known before must neither help nor hinder.
    const { mirrorFolder } = await initializeStore(
      {
        mirror: `${url}/tuf`,
        root: `${url}/kit/root.json`,
        folder: store,
        nowMs: terminal.nowMs,
        ...(checksum === undefined ? {} : { checksum }),
      },
      { environment, ...(deadlineMs === undefined ? {} : { deadlineMs }), ...(userAgent === undefined ? {} : { userAgent }) },
    )
    const files = await filesOf(mirrorFolder, folder)
    await mkdir(folder, { recursive: true })
    for (const [name, bytes] of files) await writeWhole(join(folder, name), bytes)
    const sha256 = createHash('sha256')
      .update(files.get('root.json') ?? '')
      .digest('hex')
    const names = [...files.keys()]
    terminal.out(`Wrote ${names.join(', ')} to ${printable(folder)}\nSHA-256 of the root: ${sha256}\n`)
    return {
      subjects: [{ subject: url, ok: true, files: names.map((name) => join(folder, name)), content: { url, folder, rootSha256: sha256 } }],
    }
  } finally {
    await rm(store, { recursive: true, force: true })
  }
}

async function filesOf(mirrorFolder: string, folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const read = async (path: string): Promise<Uint8Array> => new Uint8Array(await readFile(join(mirrorFolder, path)))
  const trustedRoot = await read('targets/trusted_root.json')
  const signingConfig = await read('targets/signing_config.v0.2.json')
  const config = parseSigningConfig(signingConfig)
  return new Map([
    ['root.json', await read('root.json')],
    ['trusted_root.json', trustedRoot],
    ['signing_config.json', signingConfig],
    ...kitFiles({ root: parseTrustedRoot(trustedRoot), config }),
    ['env.sh', utf8(gitsignEnvironment(config, folder))],
  ])
}
