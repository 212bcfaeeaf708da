import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifyCommand } from '../../src/commands/verify.ts'
import { initializedTrust } from '../../src/trust/initialized.ts'
import { seedTrust } from '../../src/trust/seed.ts'
import { selectTrust } from '../../src/trust/select.ts'
import { serviceSpec, specTimes } from '../../src/trust/service-spec.ts'
import { invocationOf } from '../demands/invocation.ts'

const emptyRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
const now = Date.UTC(2026, 10, 20)
const dayMs = 24 * 60 * 60 * 1000
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-trust-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function initialize(mirror: string): void {
  mkdirSync(join(folder, mirror, 'targets'), { recursive: true })
  writeFileSync(join(folder, mirror, 'targets/trusted_root.json'), emptyRoot)
}

describe('the folder that initialize fills', () => {
  it('gives nothing when nothing was initialized', async () => {
    expect(await initializedTrust({ TUF_ROOT: folder }, now)).toBeUndefined()
    expect(await initializedTrust({ HOME: folder }, now)).toBeUndefined()
  })

  it('gives the one trusted root that is there', async () => {
    initialize('tuf.example.org')
    expect(await initializedTrust({ TUF_ROOT: folder }, now)).toMatchObject({
      named: false,
      report: { name: join(folder, 'tuf.example.org/targets/trusted_root.json') },
    })
  })

  it('gives that of the mirror that remote.json names', async () => {
    initialize('one.example')
    initialize('two.example-8080-tuf')
    writeFileSync(join(folder, 'remote.json'), '{"mirror":"https://two.example:8080/tuf"}')
    expect((await initializedTrust({ TUF_ROOT: folder }, now))?.report.name).toContain('two.example-8080-tuf')
  })

  it('does not guess between two', async () => {
    initialize('one.example')
    initialize('two.example')
    await expect(initializedTrust({ TUF_ROOT: folder }, now)).rejects.toMatchObject({ code: 'trust_missing' })
  })

  it('gives no other in place of the one that remote.json names', async () => {
    initialize('one.example')
    writeFileSync(join(folder, 'remote.json'), '{"mirror":"https://two.example"}')
    await expect(initializedTrust({ TUF_ROOT: folder }, now)).rejects.toMatchObject({ code: 'trust_missing' })
  })

  it('follows no mirror name out of the folder', async () => {
    writeFileSync(join(folder, 'remote.json'), '{"mirror":"../../elsewhere"}')
    expect(await initializedTrust({ TUF_ROOT: folder }, now)).toBeUndefined()
  })
})

/** The four metadata files of an initialized mirror; of each role, in how many days it expires. */
function metadata(days: Readonly<Record<string, number>>, content = emptyRoot): void {
  const hash = createHash('sha256').update(content).digest('hex')
  for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
    const expires = new Date(now + (days[role] ?? 100) * dayMs).toISOString()
    const targets = role === 'targets' ? { targets: { 'trusted_root.json': { length: 1, hashes: { sha256: hash } } } } : {}
    writeFileSync(join(folder, 'tuf.example.org', `${role}.json`), JSON.stringify({ signed: { version: 1, expires, ...targets } }))
  }
}

describe('an initialized folder that grows old', () => {
  const warnings = async (argv: readonly string[] = []): Promise<string> => {
    const { invocation, said } = invocationOf(verifyCommand, argv, { TUF_ROOT: folder })
    await selectTrust(invocation, false)
    return said.filter((line) => line.startsWith('WARNING')).join('\n')
  }
  beforeEach(() => initialize('tuf.example.org'))

  it.each(['root', 'timestamp', 'snapshot', 'targets'])('is refused once its %s has expired, with how to renew it', async (role) => {
    metadata({ [role]: -0.001 })
    await expect(initializedTrust({ TUF_ROOT: folder }, now)).rejects.toMatchObject({
      code: 'trust_stale',
      hint: expect.stringContaining('countersign trusted-root refresh') as string,
    })
  })

  it('warns 14 days before, or as many as --warn-expiry says', async () => {
    metadata({ root: 13.5 })
    expect(await warnings()).toContain('13 days left: the TUF root')
    expect(await warnings(['--warn-expiry', '5'])).toBe('')
    metadata({ root: 30 })
    expect(await warnings()).toBe('')
    expect(await warnings(['--warn-expiry', '60'])).toContain('30 days left')
  })

  it('warns of timestamp and snapshot, which live for days, only in the last two', async () => {
    metadata({ timestamp: 6 })
    expect(await warnings()).toBe('')
    metadata({ timestamp: 1.5 })
    expect(await warnings()).toContain('1 day left: the TUF timestamp')
  })

  it('gives no trusted root that is not the one that its metadata names', async () => {
    metadata({}, 'another')
    await expect(initializedTrust({ TUF_ROOT: folder }, now)).rejects.toMatchObject({ code: 'content_altered' })
  })
})

describe('the trusted root in force', () => {
  const select = (argv: readonly string[], keyed: boolean) =>
    selectTrust(invocationOf(verifyCommand, argv, { TUF_ROOT: folder }).invocation, keyed)

  it('is none with a key, whatever lies in TUF_ROOT', async () => {
    initialize('tuf.example.org')
    expect(await select([], true)).toBeUndefined()
  })

  it('is the flag before TUF_ROOT, and TUF_ROOT before the built-in one', async () => {
    const file = join(folder, 'flag.json')
    writeFileSync(file, emptyRoot)
    expect((await select([], false))?.report.source).toBe('built-in trusted root')
    initialize('tuf.example.org')
    expect((await select([], false))?.report.source).toBe('initialized trusted root')
    expect((await select(['--trusted-root', file], false))?.report).toEqual({ source: 'flag', name: file })
  })

  it('says that variables of cosign which replace single anchors are not read', async () => {
    const { invocation, said } = invocationOf(verifyCommand, [], { TUF_ROOT: folder, SIGSTORE_ROOT_FILE: 'x' })
    await selectTrust(invocation, false)
    expect(said.join('\n')).toContain('SIGSTORE_ROOT_FILE has no effect')
  })
})

describe('the built-in trusted root', () => {
  it('is refused once it is stale, and says until when it is good', async () => {
    await expect(seedTrust(Date.UTC(2100, 0, 1))).rejects.toMatchObject({ code: 'trust_stale' })
    expect((await seedTrust(Date.UTC(2026, 0, 1))).report.date).toMatch(/^version [0-9]+, good until [0-9]{4}-/)
  })
})

describe('a service in words', () => {
  it('names its keys, its times, and what is missing', () => {
    const spec = serviceSpec('rekor', 'url=https://log.example,start-time=2026-01-01T00:00:00Z', ['url'], ['start-time', 'end-time'])
    expect(spec.get('url')).toBe('https://log.example')
    expect(specTimes('rekor', spec)).toEqual({ start: Date.UTC(2026, 0, 1) })
    for (const text of ['start-time=2026-01-01T00:00:00Z', 'url=a,url=b', 'url=a,colour=red', 'url=']) {
      expect(() => serviceSpec('rekor', text, ['url'], ['start-time'])).toThrow(expect.objectContaining({ code: 'usage' }))
    }
  })
})
