import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { concatBytes, utf8 } from '@countersign/core/bytes'
import { seal } from '../../src/base/backup/sealed-stream.ts'
import { writeTar, type TarFile } from '../../src/base/backup/tar.ts'
import type { AdministerRequest } from '../../src/main/administer.ts'
import { backUp } from '../../src/main/backup.ts'
import { restore } from '../../src/main/restore.ts'
import { testFolder } from './starting.ts'

type Member = readonly [name: string, content: string]

const passphrase = 'correct horse battery staple'

function requestIn(folder: string, more: Partial<AdministerRequest> = {}): AdministerRequest {
  const access = { environment: { HOME: folder, PASSPHRASE: passphrase } }
  return {
    data: join(folder, 'data'),
    passphrase: 'env:PASSPHRASE',
    access,
    workingFolder: folder,
    clock: Date.now,
    log: () => undefined,
    ...more,
  }
}

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex')

/** A manifest over these members. */
function manifestOf(members: readonly Member[], version = 1): Member {
  const files = members.map(([name, content]) => ({ name, size: content.length, sha256: sha256(content) }))
  return ['manifest.json', JSON.stringify({ version, createdAt: 1, installation: 'id', publicUrl: 'http://127.0.0.1:1', files })]
}

/** An archive of these members, sealed as backups are. */
async function archiveOf(path: string, members: readonly Member[]): Promise<string> {
  const files = async function* (): AsyncGenerator<TarFile> {
    for (const [name, text] of members) {
      const bytes = utf8(text)
      const content = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes
      }
      yield { name, size: bytes.length, content: content() }
    }
  }
  const pieces: Uint8Array[] = []
  for await (const piece of seal(utf8(passphrase), writeTar(files()))) pieces.push(piece)
  writeFileSync(path, concatBytes(...pieces))
  return path
}

const [one, two]: readonly [Member, Member] = [
  ['VERSION', '1\n'],
  ['database.sqlite', 'rows'],
]

describe('attack: a backup that somebody put together, of whom we know only that they have its passphrase', () => {
  it.each<[string, readonly Member[], RegExp]>([
    ['with a file after its manifest', [one, manifestOf([one]), two], /follows the manifest/],
    ['with a file twice', [one, one, manifestOf([one])], /twice/],
    ['with another file than its manifest says', [one, manifestOf([['VERSION', '2\n']])], /not in the backup as the manifest says/],
    ['without a file that its manifest names', [one, manifestOf([one, two])], /not in the backup as the manifest says/],
    ['with a file that its manifest does not name', [one, two, manifestOf([one])], /does not name every file/],
    ['without a manifest', [one, two], /manifest of the backup is missing/],
    ['with a file that no backup holds', [['.profile', 'rm'], manifestOf([['.profile', 'rm']])], /nothing that a backup holds/],
    ['with a program among its keys', [['keys/evil.so', 'elf'], manifestOf([['keys/evil.so', 'elf']])], /nothing that a backup holds/],
    ['of a later version', [one, manifestOf([one], 2)], /another version/],
  ])('%s becomes no installation, and leaves nothing behind', async (_, members, words) => {
    const folder = testFolder()
    const file = await archiveOf(join(folder, 'backup'), members)
    await expect(restore(requestIn(folder), file, { name: 'ada' })).rejects.toMatchObject({
      code: 'backup_damaged',
      message: expect.stringMatching(words),
    })
    expect(existsSync(join(folder, 'data')) ? readdirSync(join(folder, 'data')) : []).toEqual([])
  })
})

describe('attack: a backup whose configuration does what its maker wants', () => {
  const configured = (config: string): readonly Member[] => {
    const members: readonly Member[] = [one, ['blobs/evil.so', 'elf'], ['config.yaml', config]]
    return [...members, manifestOf(members)]
  }
  const token = 'keys: { pkcs11: { module: blobs/evil.so, token: t, pin: env:PASSPHRASE } }\n'

  it.each([
    ['loads a program that came with it', token, 'usage', /would load a program/],
    ['empties a database of the operator', 'database: { kind: postgres, url: env:DATABASE_URL }\n', 'backup_damaged', /elsewhere/],
    [
      'asks a store elsewhere',
      `blobs: { kind: s3, endpoint: 'https://evil.example/b', accessKeyId: env:A, secretAccessKey: env:B }\n`,
      'backup_damaged',
      /elsewhere/,
    ],
  ])('and %s is not restored', async (_, config, code, words) => {
    const folder = testFolder()
    const file = await archiveOf(join(folder, 'backup'), configured(config))
    await expect(restore(requestIn(folder), file, { name: 'ada' })).rejects.toMatchObject({ code, message: expect.stringMatching(words) })
    expect(existsSync(join(folder, 'data')) ? readdirSync(join(folder, 'data')) : []).toEqual([])
  })
})

describe('a restoration', () => {
  it('is not begun over anything, without the passphrase, or from no file', async () => {
    const folder = testFolder()
    const file = await archiveOf(join(folder, 'backup'), [one, manifestOf([one])])
    const { passphrase: _, ...unnamed } = requestIn(folder)
    await expect(restore(unnamed, file, { name: 'ada' })).rejects.toMatchObject({ code: 'key_password_missing' })
    await expect(restore(requestIn(folder), join(folder, 'absent'), { name: 'ada' })).rejects.toMatchObject({ code: 'file_not_found' })
    await expect(restore(requestIn(folder), folder, { name: 'ada' })).rejects.toMatchObject({ code: 'io_failed' })
    mkdirSync(join(folder, 'data'), { recursive: true })
    writeFileSync(join(folder, 'data', 'anything'), '')
    await expect(restore(requestIn(folder), file, { name: 'ada' })).rejects.toMatchObject({ code: 'data_folder_occupied' })
  })
})

describe('a backup', () => {
  it('is not made of an installation whose database or blobs are elsewhere: it would not be whole', async () => {
    const folder = testFolder()
    mkdirSync(join(folder, 'data'))
    writeFileSync(join(folder, 'data', 'config.yaml'), 'database:\n  kind: postgres\n  url: env:DATABASE\n')
    await expect(backUp(requestIn(folder), join(folder, 'backup'))).rejects.toMatchObject({ code: 'not_supported' })
  })
})
