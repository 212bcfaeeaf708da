import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkServing } from '@countersign/server/main/plan'
import { serve } from '@countersign/server/main/serve'
import { requestFor, serveIn, testFolder } from './starting.ts'

const failsWith = (code: string, message = ''): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string })

const steps = ['1-describe', '2-passphrase', '3-vault', '4-blobs', '5-database', '6-logs', '7-authorities', '8-trust', '9-complete'].map(
  (name) => `first-start-${name}`,
)

describe('a first start', () => {
  it('makes an installation that answers, and a second start uses it as it is', async () => {
    const data = join(testFolder(), 'new')
    const first = await serveIn(data)
    expect(first.firstStart).toBe(true)
    expect((await fetch(first.addresses['readyz']!)).status).toBe(200)
    await first.stop()
    const described = readFileSync(join(data, 'installation.json'), 'utf8')
    const second = await serveIn(data)
    expect([second.firstStart, second.publicUrl]).toEqual([false, first.publicUrl])
    expect((await fetch(second.addresses['readyz']!)).status).toBe(200)
    expect(readFileSync(join(data, 'installation.json'), 'utf8')).toBe(described)
  })

  it('tells where the passphrase is once, and never what it is', async () => {
    const data = join(testFolder(), 'new')
    const first = await serveIn(data)
    expect(first.notices).toEqual([expect.stringContaining(join(data, 'passphrase'))])
    expect(JSON.stringify(first)).not.toContain(readFileSync(join(data, 'passphrase'), 'utf8').trim())
    await first.stop()
    expect((await serveIn(data)).notices).toEqual([])
  })

  it('makes nothing where another process has the port: the public URL would be that of a stranger', async () => {
    const other = await serveIn(join(testFolder(), 'other'))
    const data = join(testFolder(), 'new')
    await expect(serve(requestFor(data, { listen: new URL(other.listening).host }))).rejects.toThrow(
      expect.objectContaining({ code: 'listen_failed', hint: expect.stringContaining('--listen') as string }),
    )
    expect(existsSync(data)).toBe(false)
  })

  it('asks the steps in the order in which they are numbered', async () => {
    const seen: string[] = []
    await serveIn(join(testFolder(), 'new'), { step: (name) => void seen.push(name) })
    expect(seen.filter((name) => name.startsWith('first-start-'))).toEqual(steps)
  })

  it('that is killed before each step in turn is completed by the start after the last, with everything that the others had made', async () => {
    const data = join(testFolder(), 'new')
    const script = join(import.meta.dirname, 'killed-while-starting.ts')
    let made: ReadonlyMap<string, string> = new Map()
    for (const step of steps) {
      const killed = spawnSync(process.execPath, ['--conditions=source', script, data, step])
      expect([step, killed.signal, killed.stdout.toString()]).toEqual([step, 'SIGKILL', ''])
      expect(existsSync(join(data, 'VERSION'))).toBe(false)
      const lasting = [...filesIn(data)].filter(([name]) => /json$|passphrase$|key$/.test(name))
      expect([...made].filter(([name, text]) => !lasting.some(([kept, same]) => kept === name && same === text))).toEqual([])
      made = new Map(lasting)
    }
    expect([...made.keys()].filter((name) => name.endsWith('.key')).length).toBeGreaterThan(8)
    const serving = await serveIn(data)
    expect(serving.firstStart).toBe(true)
    expect((await fetch(serving.addresses['readyz']!)).status).toBe(200)
    for (const [name, text] of made) expect([name, readFileSync(name, 'latin1')]).toEqual([name, text])
  }, 120_000)

  it('that was begun under one public URL does not go on under another', async () => {
    const data = join(testFolder(), 'new')
    const crash = (name: string): void => {
      if (name === 'first-start-5-database') throw new TypeError('crash')
    }
    await expect(serve(requestFor(data, { publicUrl: 'https://one.example.org', step: crash }))).rejects.toThrow('crash')
    await expect(serve(requestFor(data, { publicUrl: 'https://two.example.org' }))).rejects.toThrow(
      failsWith('config_malformed', 'https://one.example.org'),
    )
  })

  it('can be forbidden, by flag and by configuration', async () => {
    const folder = testFolder()
    await expect(serve(requestFor(join(folder, 'a'), { firstStart: false }))).rejects.toThrow(failsWith('data_folder_missing'))
    writeFileSync(join(folder, 'c.yaml'), 'firstStart: false\n')
    await expect(serve(requestFor(join(folder, 'a'), { config: join(folder, 'c.yaml') }))).rejects.toThrow(failsWith('data_folder_missing'))
    expect(existsSync(join(folder, 'a'))).toBe(false)
  })

  it('does not happen in a folder that holds something else', async () => {
    const folder = testFolder()
    writeFileSync(join(folder, 'thesis.tex'), '')
    await expect(serve(requestFor(folder))).rejects.toThrow(failsWith('data_folder_occupied'))
    expect(readdirSync(folder)).toEqual(['thesis.tex'])
  })
})

describe('a later start', () => {
  it('names every part that is missing, and makes none of them anew', async () => {
    const data = join(testFolder(), 'new')
    await (await serveIn(data)).stop()
    for (const part of ['installation.json', 'keys', 'keys/vault.json', 'database.sqlite', 'blobs', 'passphrase']) {
      renameSync(join(data, part), join(data, '..', 'away'))
      await expect(serve(requestFor(data))).rejects.toThrow(failsWith('data_folder_damaged', `${part} is missing`))
      expect(existsSync(join(data, part))).toBe(false)
      renameSync(join(data, '..', 'away'), join(data, part))
    }
    expect((await serveIn(data)).firstStart).toBe(false)
  })

  it('does not serve from the database of another installation, or from an empty one', async () => {
    const folder = testFolder()
    const [one, two] = [join(folder, 'one'), join(folder, 'two')]
    for (const data of [one, two]) await (await serveIn(data)).stop()
    for (const file of ['database.sqlite', 'database.sqlite-wal', 'database.sqlite-shm']) {
      rmSync(join(one, file), { force: true })
      if (existsSync(join(two, file))) copyFileSync(join(two, file), join(one, file))
    }
    await expect(serve(requestFor(one))).rejects.toThrow(failsWith('data_folder_damaged', 'not the one of this data folder'))
    writeFileSync(join(one, 'database.sqlite'), '')
    await expect(serve(requestFor(one))).rejects.toThrow(expect.objectContaining({ code: expect.stringMatching(/^database_/) as string }))
  })

  it('does not serve beside another process on the same folder', async () => {
    const data = join(testFolder(), 'new')
    await serveIn(data)
    await expect(serve(requestFor(data))).rejects.toThrow(failsWith('data_folder_locked'))
  })

  it('keeps the public URL: another one is refused', async () => {
    const data = join(testFolder(), 'new')
    await (await serveIn(data, { publicUrl: 'https://sign.example.org' })).stop()
    await expect(serve(requestFor(data, { publicUrl: 'https://other.example.org' }))).rejects.toThrow(
      failsWith('config_malformed', 'stays so'),
    )
    expect((await serveIn(data)).publicUrl).toBe('https://sign.example.org')
  })

  it('does not open with another passphrase', async () => {
    const data = join(testFolder(), 'new')
    const access = (PASS: string): object => ({ access: { environment: { PASS } }, passphrase: 'env:PASS' })
    await (await serveIn(data, access('right'))).stop()
    expect(existsSync(join(data, 'passphrase'))).toBe(false)
    await expect(serve(requestFor(data, access('wrong')))).rejects.toThrow(failsWith('key_password_wrong'))
    await expect(serve(requestFor(data, access('')))).rejects.toThrow(failsWith('config_reference_missing'))
    expect((await serveIn(data, access('right'))).firstStart).toBe(false)
  })
})

describe('what is typed', () => {
  it('wins over the document, and is checked like it', async () => {
    const folder = testFolder()
    writeFileSync(join(folder, 'c.yaml'), 'listen: 127.0.0.1:1\nroles: [log]\ndata: data\n')
    const { data: _, listen: __, ...typed } = requestFor(folder, { config: 'c.yaml', workingFolder: folder })
    expect(await checkServing(typed)).toMatchObject({ listen: '127.0.0.1:1', roles: ['log'], data: join(folder, 'data') })
    const other = { ...typed, listen: '127.0.0.1:2', roles: ['tsa'], data: 'other' }
    expect(await checkServing(other)).toMatchObject({ listen: '127.0.0.1:2', roles: ['tsa'], data: join(folder, 'other') })
    for (const [wrong, code] of [
      [{ listen: '8080' }, 'usage'],
      [{ roles: ['lgo'] }, 'usage'],
      [{ passphrase: 'hunter2' }, 'usage'],
      [{ publicUrl: 'http://sign.example.org' }, 'insecure_transport'],
      [{ listen: '192.0.2.1:80', publicUrl: 'https://x.example' }, 'insecure_transport'],
      [{ listen: '0.0.0.0:80' }, 'usage'],
      [{ config: 'absent.yaml' }, 'file_not_found'],
    ] as const)
      await expect(checkServing({ ...typed, ...wrong })).rejects.toThrow(failsWith(code))
  })

  it('is checked without changing anything', async () => {
    const folder = testFolder()
    expect(await checkServing(requestFor(join(folder, 'new')))).toMatchObject({ state: 'empty' })
    expect(readdirSync(folder)).toEqual([])
  })

  it('is checked with every secret that it names: what is not there is said before serving would need it', async () => {
    const folder = testFolder()
    writeFileSync(join(folder, 'c.yaml'), 'database: { kind: postgres, url: env:DATABASE_URL }\nkeys: { passphrase: file:words }\n')
    const check = (environment: Record<string, string>) =>
      checkServing(requestFor(join(folder, 'new'), { config: join(folder, 'c.yaml'), access: { environment } }))
    const there = { DATABASE_URL: 'postgres://sign:hunter2@127.0.0.1:1/none' }
    await expect(check(there)).rejects.toThrow(failsWith('config_reference_missing'))
    writeFileSync(join(folder, 'words'), 'a passphrase of the test')
    // A service manager may set it for the server alone.
    expect((await check({})).warnings).toContain('env:DATABASE_URL is not set here; serving needs it')
    const checked = await check(there)
    expect(checked.warnings.join()).not.toContain('DATABASE_URL')
    expect(JSON.stringify(checked)).not.toContain('hunter2')
  })

  it('falls back on config.yaml in the data folder', async () => {
    const folder = testFolder()
    mkdirSync(join(folder, 'new'))
    writeFileSync(join(folder, 'new/config.yaml'), 'logging: { level: verbose }\n')
    await expect(serve(requestFor(join(folder, 'new')))).rejects.toThrow(failsWith('config_malformed', 'config.yaml:1:12: $.logging.level'))
  })
})

/** Every file below a folder with its bytes. */
function filesIn(folder: string): ReadonlyMap<string, string> {
  if (!existsSync(folder)) return new Map()
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(names.map((entry) => [join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name), 'latin1')]))
}
