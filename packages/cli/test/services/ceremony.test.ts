import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { countersign, type Outcome, startServer, testFolder } from './serving.ts'

type Status = {
  readonly subjects: readonly {
    readonly content: {
      readonly proposals: readonly { readonly role: string; readonly signatures: number; readonly threshold: number }[]
      readonly instances: readonly { readonly id: string; readonly end?: string }[]
    }
  }[]
}

describe('a ceremony of the trust root', { timeout: 300_000 }, () => {
  it('gives root and targets to offline keys by threshold; a rotation after it waits for them, and the old key goes on until then', async () => {
    const folder = testFolder()
    const { ready } = await startServer(folder)
    const run = (...args: readonly string[]): Promise<Outcome> => countersign(folder, ...args)
    const done = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await run(...args)
      expect([args.slice(0, 3), status, stderr]).toEqual([args.slice(0, 3), 0, expect.any(String)])
      return stdout
    }
    const there = ['--data', 'platform'] as const
    for (const holder of ['a', 'b']) await done('generate-key-pair', '--output-key-prefix', holder)
    const both = (role: string): readonly string[] => [`--${role}-key=a.pub`, `--${role}-key=b.pub`, `--${role}-threshold=2`]
    await done('trust', 'propose', 'root', 'root.json', ...both('root'), ...both('targets'), ...there)
    // Signed by the keys in force, and not yet by those that shall be.
    expect(await run('trust', 'publish', ...there)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('too few signatures') as string,
    })
    await done('trust', 'propose', 'targets', 'targets.json', ...there)
    for (const file of ['root.json', 'targets.json'])
      for (const holder of ['a', 'b']) await done('trust', 'sign', '--key', `${holder}.key`, file)
    await done('trust', 'publish', 'root.json', 'targets.json', ...there)

    await done('key', 'rotate', 'tsa', ...there)
    const before = (JSON.parse(await done('trust', 'status', '--report', 'json', ...there)) as Status).subjects[0]!.content
    expect(before.proposals).toEqual([expect.objectContaining({ role: 'targets', signatures: 0, threshold: 2 })])
    expect(before.instances.find(({ id }) => id === 'tsa-1')).not.toHaveProperty('end')
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    const chain = async (): Promise<string> => (await fetch(`${ready.publicUrl}/tsa/api/v1/timestamp/certchain`)).text()
    const old = await chain()
    await done('trust', 'propose', 'targets', 'targets.json', ...there)
    await done('trust', 'sign', '--key', 'a.key', 'targets.json')
    expect(await run('trust', 'publish', 'targets.json', ...there)).toMatchObject({ status: 1 })
    expect(await chain()).toBe(old)
    await done('trust', 'sign', '--key', 'b.key', 'targets.json')
    await done('trust', 'publish', 'targets.json', ...there)
    for (let attempt = 0; attempt < 300 && (await chain()) === old; attempt++) await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await chain()).not.toBe(old)
    // A client that starts from the first root follows all of it.
    await done('kit', '--url', ready.publicUrl, 'kit')
    expect(readFileSync(join(folder, 'kit/trusted_root.json'), 'utf8')).toContain('timestampAuthorities')
  })

  it('takes no signature that does not count', async () => {
    const folder = testFolder()
    await startServer(folder)
    await countersign(folder, 'generate-key-pair', '--output-key-prefix', 'stranger')
    expect(await countersign(folder, 'trust', 'propose', 'root', 'root.json', '--data', 'platform')).toMatchObject({ status: 0 })
    expect(await countersign(folder, 'trust', 'sign', '--key', 'stranger.key', 'root.json')).toMatchObject({ status: 0 })
    expect(await countersign(folder, 'trust', 'publish', 'root.json', '--data', 'platform')).toMatchObject({ status: 15 })
    expect(await countersign(folder, 'trust', 'withdraw', 'root', '--data', 'platform')).toMatchObject({ status: 0 })
  })
})

describe('the root of the authority', { timeout: 300_000 }, () => {
  it('is exported and removed; issuing goes on, and a further intermediate needs a root elsewhere', async () => {
    const folder = testFolder()
    await startServer(folder)
    const there = ['--data', 'platform'] as const
    expect(await countersign(folder, 'ca', 'init', ...there)).toMatchObject({ status: 1 })
    expect(await countersign(folder, 'ca', 'export-root', 'root', ...there)).toMatchObject({ status: 0 })
    expect(readFileSync(join(folder, 'root.key'), 'utf8')).toContain('ENCRYPTED')
    expect(readFileSync(join(folder, 'root.crt'), 'utf8')).toContain('BEGIN CERTIFICATE')
    expect(await countersign(folder, 'ca', 'remove-root', '--yes', ...there)).toMatchObject({ status: 0 })
    expect(await countersign(folder, 'key', 'rotate', 'ca', ...there)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ca-root') as string,
    })
    const asked = await countersign(folder, 'ca', 'csr', ...there)
    expect(asked).toMatchObject({ status: 0, stdout: expect.stringContaining('BEGIN CERTIFICATE REQUEST') as string })
    expect(await countersign(folder, 'ca', 'import', 'ca-intermediate-2', 'root.crt', ...there)).toMatchObject({ status: 12 })

    // On the machine that has the root, and nothing else.
    const offline = testFolder()
    for (const name of ['root.key', 'root.crt']) cpSync(join(folder, name), join(offline, name))
    writeFileSync(join(offline, 'intermediate.csr'), asked.stdout)
    const signing = ['ca', 'intermediate', '--root-key', 'root.key', '--request', 'intermediate.csr'] as const
    const signed = await countersign(offline, ...signing)
    expect(signed).toMatchObject({ status: 0, stderr: expect.stringMatching(/Intermediate.*SHA-256 of its key [0-9a-f]{64}/) as string })
    expect(readdirSync(offline)).toEqual(['intermediate.csr', 'root.crt', 'root.key'])
    expect(await countersign(offline, 'ca', 'intermediate', '--request', 'intermediate.csr')).toMatchObject({ status: 2 })
    writeFileSync(join(folder, 'chain.pem'), signed.stdout)
    expect(await countersign(folder, 'ca', 'import', 'ca-intermediate-2', 'chain.pem', ...there)).toMatchObject({ status: 0 })
    expect(await countersign(folder, 'ca', 'activate', 'ca-intermediate-2', ...there)).toMatchObject({ status: 0 })
    // Or at the machine of the services, with the root on a stick.
    const beside = await countersign(folder, 'ca', 'intermediate', '--root-key', 'root.key', ...there)
    expect(beside).toMatchObject({ status: 0, stdout: 'ca-intermediate-3\n' })
  })
})
