import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createFile, replaceFile } from '@countersign/server/base/data-folder/durable-file'
import { beginInstallation, completeInstallation, demandParts, inspectFolder } from '@countersign/server/base/data-folder/installation'
import { folderLock } from '@countersign/server/base/data-folder/lock'

const root = mkdtempSync(join(tmpdir(), 'countersign-data-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const newFolder = (): string => mkdtempSync(join(root, 'data-'))
const installation = { id: 'a'.repeat(32), createdAt: 1_700_000_000_000, publicUrl: 'http://127.0.0.1:8460', listen: '127.0.0.1:8460' }
const failsWith = (code: string, message = ''): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string })

describe('a data folder', () => {
  it('that is absent or empty is one for a first start; a lock, a configuration and what a volume brings do not count', async () => {
    expect(await inspectFolder(join(root, 'absent'))).toEqual({ kind: 'empty' })
    const folder = newFolder()
    writeFileSync(join(folder, 'countersign.lock'), '')
    writeFileSync(join(folder, 'config.yaml'), '{}')
    mkdirSync(join(folder, 'lost+found'))
    expect(await inspectFolder(folder)).toEqual({ kind: 'empty' })
  })

  it('is begun, then complete, and says what it is', async () => {
    const folder = join(root, 'made/on/the/way')
    await beginInstallation(folder, installation)
    expect(await inspectFolder(folder)).toEqual({ kind: 'begun', installation })
    await completeInstallation(folder)
    expect(await inspectFolder(folder)).toEqual({ kind: 'complete', installation })
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'installation.json')).mode & 0o777).toBe(0o600)
  })

  it.skipIf(process.platform !== 'linux')('where no folder can be made is a failure, and not an endless attempt', async () => {
    await expect(beginInstallation('/proc/countersign/data', installation)).rejects.toThrow(
      failsWith('io_failed', '/proc/countersign/data'),
    )
  })

  it('that holds something else is not touched', async () => {
    const folder = newFolder()
    writeFileSync(join(folder, 'photo.jpg'), '')
    await expect(inspectFolder(folder)).rejects.toThrow(failsWith('data_folder_occupied'))
  })

  it('that lost its description is damaged, not empty', async () => {
    for (const left of ['keys', 'blobs', 'database.sqlite', 'passphrase', 'VERSION']) {
      const folder = newFolder()
      writeFileSync(join(folder, left), '1\n')
      await expect(inspectFolder(folder)).rejects.toThrow(failsWith('data_folder_damaged', 'installation.json is missing'))
    }
  })

  it('with a damaged description or version is an error that names the file', async () => {
    const folder = newFolder()
    await beginInstallation(folder, installation)
    await completeInstallation(folder)
    writeFileSync(join(folder, 'VERSION'), 'one\n')
    await expect(inspectFolder(folder)).rejects.toThrow(failsWith('data_folder_damaged', 'VERSION'))
    writeFileSync(join(folder, 'VERSION'), '1\n')
    for (const text of ['', '{', '{"id":"x"}', JSON.stringify({ ...installation, more: 1 })]) {
      writeFileSync(join(folder, 'installation.json'), text)
      await expect(inspectFolder(folder)).rejects.toThrow(failsWith('data_folder_damaged', 'installation.json'))
    }
  })

  it('of a later version is refused', async () => {
    const folder = newFolder()
    await beginInstallation(folder, installation)
    writeFileSync(join(folder, 'VERSION'), '2\n')
    await expect(inspectFolder(folder)).rejects.toThrow(failsWith('data_folder_newer'))
  })

  it('misses each part by its name', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, 'keys'))
    await expect(demandParts(folder, ['keys'])).resolves.toBeUndefined()
    await expect(demandParts(folder, ['keys', 'blobs'])).rejects.toThrow(failsWith('data_folder_damaged', 'blobs is missing'))
  })

  it('is begun once: of two first starts one is refused', async () => {
    const folder = newFolder()
    await beginInstallation(folder, installation)
    await expect(beginInstallation(folder, { ...installation, id: 'b'.repeat(32) })).rejects.toThrow(failsWith('data_folder_locked'))
  })
})

describe('the lock of a data folder', () => {
  it('is held by one process alone, or by several together', () => {
    const folder = newFolder()
    const first = folderLock(folder, 'alone')
    expect(() => folderLock(folder, 'alone')).toThrow(failsWith('data_folder_locked'))
    expect(() => folderLock(folder, 'together')).toThrow(failsWith('data_folder_locked'))
    first.change('together')
    const second = folderLock(folder, 'together')
    expect(() => folderLock(folder, 'alone')).toThrow(failsWith('data_folder_locked'))
    first.release()
    first.release()
    second.release()
    folderLock(folder, 'alone').release()
    expect(readdirSync(folder)).toEqual(['countersign.lock'])
  })

  it('ends with its process, also after kill -9', async () => {
    const folder = newFolder()
    const script = `
      const { folderLock } = await import('@countersign/server/base/data-folder/lock')
      folderLock(${JSON.stringify(folder)}, 'alone')
      console.log('held')
      setInterval(() => undefined, 1000)`
    const holder = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], { cwd: import.meta.dirname })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    expect(() => folderLock(folder, 'alone')).toThrow(failsWith('data_folder_locked'))
    const ended = new Promise((resolve) => holder.once('exit', resolve))
    holder.kill('SIGKILL')
    await ended
    folderLock(folder, 'alone').release()
  })
})

describe('a durable file', () => {
  it('is replaced as a whole, or made where none is, and leaves nothing beside it', async () => {
    const folder = newFolder()
    const path = join(folder, 'file')
    expect(await createFile(path, 'one', 0o600)).toBe(true)
    expect(await createFile(path, 'two', 0o600)).toBe(false)
    expect(readFileSync(path, 'utf8')).toBe('one')
    await replaceFile(path, 'three', 0o600)
    expect(readFileSync(path, 'utf8')).toBe('three')
    expect(readdirSync(folder)).toEqual(['file'])
  })

  it('that cannot be written is a failure that names it', async () => {
    const folder = newFolder()
    writeFileSync(join(folder, 'plain'), '')
    await expect(replaceFile(join(folder, 'plain/file'), 'x', 0o600)).rejects.toThrow(failsWith('io_failed', 'plain/file'))
    unlinkSync(join(folder, 'plain'))
  })
})
