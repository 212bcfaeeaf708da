import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { buildStatement, signaturePredicateType } from '@countersign/core/statement/statement'
import { type FileRun, verifyFile } from '@countersign/sdk/batch/file'
import { readFolder } from '@countersign/sdk/batch/folder'
import type { Judge } from '@countersign/sdk/batch/judge'
import type { BatchItem } from '@countersign/sdk/batch/model'
import { once } from '@countersign/sdk/batch/once'
import { readBatchFile } from '@countersign/sdk/batch/read'
import { signBlob } from '@countersign/sdk/blob/sign'
import { bytesBlobSource, fileBlobSource } from '@countersign/sdk/blob/source'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPolicy } from '@countersign/sdk/policy/source'
import { bundleOf, signStatement } from '@countersign/sdk/sign/own-signature'
import { keyPolicy, testSigner } from '@countersign/testkit/image-fixture'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const [team, mallory] = [testSigner(), testSigner()]
const judge: Judge = { kind: 'demands', id: 'team', policy: keyPolicy([team]) }
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-batch-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return path
}

async function sign(name: string, signer = team, suffix = '.sigstore.json'): Promise<void> {
  const { bundle, signature } = await signBlob(fileBlobSource(join(folder, name)), signer)
  put(`${name}${suffix}`, suffix === '.sig' ? signature : bundle)
}

function sum(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}

/** What became of each item, by the name of its file. */
async function verdicts(items: readonly BatchItem[], by: Judge = judge): Promise<readonly string[]> {
  const paths = items.flatMap((item) => (item.kind === 'file' && item.evidence.kind === 'files' ? item.evidence.paths : []))
  const shared = new Set(paths.filter((path, at) => paths.indexOf(path) !== at))
  const run: FileRun = { once: once(), shared, nowMs }
  return Promise.all(
    items.map(async (item) => {
      const name = item.subject.replace(`${folder}/`, '')
      if (item.kind === 'skipped') return `${name} skipped`
      if (item.kind === 'failed') return `${name} ${item.failure.code}`
      if (item.kind === 'container') return `${name} container`
      try {
        const { ok, failure } = await verifyFile(run, item, by)
        return `${name} ${ok ? 'ok' : (failure?.code ?? 'no reason')}`
      } catch (cause) {
        if (!(cause instanceof CountersignError)) throw cause
        return `${name} ${cause.code}`
      }
    }),
  )
}

async function list(lines: string): Promise<readonly BatchItem[]> {
  const name = put('SHA256SUMS', lines)
  return readBatchFile({ name, bytes: utf8(lines) })
}

describe('a folder of files', () => {
  it('is every file below it, each with the signature beside it, in any of its forms', async () => {
    for (const name of ['a', 'b', 'sub/c', 'unsigned']) put(name, name)
    await sign('a')
    await sign('b', team, '.sig')
    await sign('sub/c', team, '.bundle')
    expect(await verdicts(await readFolder(folder))).toEqual(['a ok', 'b ok', 'sub/c ok', 'unsigned no_signature'])
  })

  it('takes the signature of each of several signers, and any of them suffices', async () => {
    put('app', 'app')
    await sign('app', mallory, '.alice.sigstore.json')
    await sign('app', team, '.team.sigstore.json')
    expect(await verdicts(await readFolder(folder))).toEqual(['app ok'])
  })

  it('knows of which file a signature is when one name begins with the other', async () => {
    for (const name of ['app', 'app.exe']) put(name, name)
    await sign('app')
    await sign('app.exe')
    expect(await verdicts(await readFolder(folder))).toEqual(['app ok', 'app.exe ok'])
  })

  it('attack: a signature by a stranger, and a file that was changed after signing', async () => {
    put('a', 'a')
    put('b', 'b')
    await sign('a', mallory)
    await sign('b')
    put('b', 'changed')
    expect(await verdicts(await readFolder(folder))).toEqual(['a signer_untrusted', 'b artifact_altered'])
  })

  it('attack: a file that is called like a signature of a file that is not there is a file', async () => {
    put('gone.sigstore.json', '{}')
    expect(await verdicts(await readFolder(folder))).toEqual(['gone.sigstore.json no_signature'])
  })

  it('attack: a link out of the folder is refused, a link inside is passed over', async () => {
    put('a', 'a')
    await sign('a')
    symlinkSync('a', join(folder, 'inside'))
    symlinkSync('/etc', join(folder, 'outside'))
    symlinkSync('nowhere', join(folder, 'broken'))
    expect(await verdicts(await readFolder(folder))).toEqual(['a ok', 'broken path_escape', 'inside skipped', 'outside path_escape'])
  })

  it('attack: a link to what lies under the name of a signature makes no file of it that counts as verified', async () => {
    put('app', 'app')
    await sign('app')
    put('app.sig', 'a program')
    mkdirSync(join(folder, 'bin'))
    symlinkSync('../app.sig', join(folder, 'bin/run'))
    symlinkSync('app', join(folder, 'latest'))
    symlinkSync('app.sigstore.json', join(folder, 'latest.sigstore.json'))
    const read = await verdicts(await readFolder(folder))
    expect(read).toEqual(['app ok', 'bin/run no_signature', 'latest skipped', 'latest.sigstore.json skipped'])
  })

  it('attack: a program under the name of a signature is skipped and named beside a bundle for all, and a link to it refused', async () => {
    put('app', 'app')
    put('app.sig', 'a program')
    symlinkSync('app.sig', join(folder, 'run'))
    const items = await readFolder(folder, { evidence: ['all.sigstore.json'] })
    const named = items.map(({ subject, kind }) => `${subject.replace(`${folder}/`, '')} ${kind}`)
    expect(named).toEqual(['app file', 'app.sig skipped', 'run failed'])
  })

  it('attack: nor does a link to the signature of all files together', async () => {
    put('sub/a', 'a')
    const evidence = [put('all.sigstore.json', 'a program')]
    symlinkSync('../all.sigstore.json', join(folder, 'sub/run'))
    const kinds = (await readFolder(folder, { evidence })).map(({ kind, subject }) => `${subject.replace(`${folder}/`, '')} ${kind}`)
    expect(kinds).toEqual(['sub/a file', 'sub/run failed'])
  })

  it('attack: folders in folders without end', async () => {
    mkdirSync(join(folder, 'd/'.repeat(70)), { recursive: true })
    await expect(readFolder(folder)).rejects.toMatchObject({ code: 'limit_exceeded' })
  })

  it('that does not exist is said not to', async () => {
    await expect(readFolder(join(folder, 'none'))).rejects.toMatchObject({ code: 'file_not_found' })
  })
})

describe('one signature of many files', () => {
  async function together(names: readonly string[], predicateType = signaturePredicateType): Promise<string> {
    const subjects = names.map((name) => ({ name, digest: { sha256: sum(name) } }))
    const statement = buildStatement({ version: '1', subjects, predicateType, predicate: utf8('{}') })
    const bundle = await bundleOf({ kind: 'dsse', envelope: await signStatement(statement, team) }, team)
    return put('all.sigstore.json', bundle)
  }

  it('vouches for each file that the statement names, and for no other', async () => {
    for (const name of ['a', 'b', 'sub/c', 'other']) put(name, name)
    const evidence = [await together(['a', 'b', 'sub/c'])]
    expect(await verdicts(await readFolder(folder, { evidence }))).toEqual(['a ok', 'b ok', 'other subject_mismatch', 'sub/c ok'])
  })

  it('is refused for all of them when a stranger made it', async () => {
    for (const name of ['a', 'b']) put(name, name)
    const evidence = [await together(['a', 'b'])]
    const other: Judge = { kind: 'demands', id: 'other', policy: keyPolicy([mallory]) }
    expect(await verdicts(await readFolder(folder, { evidence }), other)).toEqual(['a signer_untrusted', 'b signer_untrusted'])
  })

  it('attack: an attestation about the files is no signature of them', async () => {
    for (const name of ['a', 'b']) put(name, name)
    const evidence = [await together(['a', 'b'], 'https://slsa.dev/provenance/v1')]
    expect(await verdicts(await readFolder(folder, { evidence }))).toEqual(['a no_signature', 'b no_signature'])
  })

  it('attack: a subject that carries the SHA-256 of one file beside the SHA-512 of another is neither', async () => {
    for (const name of ['a', 'b']) put(name, name)
    const sha512 = createHash('sha512').update('b').digest('hex')
    const subjects = [{ digest: { sha256: sum('a'), sha512 } }, { digest: { sha256: sum('b') } }]
    const statement = buildStatement({ version: '1', subjects, predicateType: signaturePredicateType, predicate: utf8('{}') })
    const evidence = [put('all.json', await bundleOf({ kind: 'dsse', envelope: await signStatement(statement, team) }, team))]
    expect(await verdicts(await readFolder(folder, { evidence }))).toEqual(['a subject_mismatch', 'b ok'])
  })

  it('that does not parse is refused with each file', async () => {
    for (const name of ['a', 'b']) put(name, name)
    const evidence = [put('all.json', '{"mediaType":"x"')]
    expect(await verdicts(await readFolder(folder, { evidence }))).toEqual(['a bundle_malformed', 'b bundle_malformed'])
  })

  it('of a single file is of no other', async () => {
    for (const name of ['a', 'b']) put(name, name)
    const { bundle } = await signBlob(bytesBlobSource('a', utf8('a')), team)
    const evidence = [put('all.json', bundle)]
    expect(await verdicts(await readFolder(folder, { evidence }))).toEqual(['a ok', 'b artifact_altered'])
  })
})

describe('a list of checksums', () => {
  it('that is signed vouches for the files that have the digests', async () => {
    put('a', 'a')
    put('sub/b', 'b')
    put('SHA256SUMS', `${sum('a')}  a\n${sum('b')} *sub/b\n`)
    await sign('SHA256SUMS')
    const items = await list(`${sum('a')}  a\n${sum('b')} *sub/b\n`)
    expect(await verdicts(items)).toEqual(['SHA256SUMS ok', 'a ok', 'sub/b ok'])
  })

  it('attack: a file that was changed, one that is missing, and names that lead out', async () => {
    put('a', 'changed')
    const lines = `${sum('a')}  a\n${sum('x')}  gone\n${sum('x')}  ../x\n${sum('x')}  /etc/hostname\n`
    put('SHA256SUMS', lines)
    await sign('SHA256SUMS')
    const items = await list(lines)
    expect(await verdicts(items)).toEqual([
      'SHA256SUMS ok',
      'a artifact_altered',
      'gone file_not_found',
      '../x path_escape',
      '/etc/hostname path_escape',
    ])
  })

  it('attack: a list that was changed after signing vouches for nothing', async () => {
    put('a', 'evil')
    put('SHA256SUMS', `${sum('a')}  a\n`)
    await sign('SHA256SUMS')
    const items = await list(`${sum('evil')}  a\n`)
    expect(await verdicts(items)).toEqual(['SHA256SUMS artifact_altered', 'a artifact_altered'])
  })

  it('attack: the list is judged by the bytes that were read, whatever is on the disk when its signature is verified', async () => {
    put('a', 'evil')
    put('SHA256SUMS', `${sum('a')}  a\n`)
    await sign('SHA256SUMS')
    const bytes = utf8(`${sum('evil')}  a\n`)
    const items = await readBatchFile({ name: join(folder, 'SHA256SUMS'), bytes })
    expect(await verdicts(items)).toEqual(['SHA256SUMS artifact_altered', 'a artifact_altered'])
  })

  it('attack: a link in the folder that leads out of it', async () => {
    symlinkSync('/etc/hostname', join(folder, 'a'))
    put('SHA256SUMS', `${sum('x')}  a\n`)
    await sign('SHA256SUMS')
    expect(await verdicts(await list(`${sum('x')}  a\n`))).toEqual(['SHA256SUMS ok', 'a path_escape'])
  })

  it('that is not signed demands the signature of each file, and its digest too', async () => {
    for (const name of ['a', 'b', 'c']) put(name, name)
    await sign('a')
    await sign('b')
    const items = await list(`${sum('a')}  a\n${sum('x')}  b\n${sum('c')}  c\n`)
    expect(await verdicts(items)).toEqual(['a ok', 'b artifact_altered', 'c no_signature'])
  })
})

describe('files judged by a policy', () => {
  it('count all signatures beside them; a policy says itself what it makes of none', async () => {
    const key = (signer: typeof team) => ({ keys: [encodePublicKeyPem(signer.publicKey)] })
    const text = JSON.stringify({
      apiVersion: 'countersign.dev/v1',
      kind: 'ArtifactPolicy',
      match: { files: ['**'] },
      identities: { team: key(team), other: key(mallory) },
      require: [{ name: 'both', signature: { by: { allOf: ['team', 'other'] } }, onMissing: 'warn' }],
    })
    const policy = await loadPolicy(text, 'policy.json', { primitives: nodePrimitives })
    for (const name of ['both', 'none', 'one']) put(name, name)
    await sign('both', team, '.team.sigstore.json')
    await sign('both', mallory, '.other.sigstore.json')
    await sign('one')
    const by: Judge = { kind: 'policy', id: 'policy', policy, revocations: new Map() }
    expect(await verdicts(await readFolder(folder), by)).toEqual(['both ok', 'none ok', 'one policy_denied'])
  })
})

describe('what a file of artifacts is', () => {
  it.each([
    ['images', 'registry.example/a:1\nregistry.example/b:1\n', ['registry.example/a:1 container', 'registry.example/b:1 container']],
    ['Kubernetes', 'apiVersion: v1\nkind: Pod\nspec: { containers: [{ image: a.example/x:1 }] }', ['a.example/x:1 container']],
    ['Compose', 'services: { web: { image: a.example/x:1 } }', ['a.example/x:1 container']],
    ['a Dockerfile', 'FROM a.example/x:1 AS build\nFROM scratch\n', ['a.example/x:1 container', 'scratch skipped']],
    ['a batch manifest', 'artifacts: [{ path: gone }]', ['gone file_not_found']],
    ['a batch manifest as JSON', '{"artifacts":[{"image":"a.example/x:1"}]}', ['a.example/x:1 container']],
    ['an image whose tag is not given', 'services: { web: { image: "a.example/x:${TAG}" } }', ['a.example/x:${TAG} image_unresolved']],
    ['attack: a path of this machine for an image', 'services: { web: { image: "oci:layout:1" } }', ['oci:layout:1 reference_malformed']],
  ])('its content tells: %s', async (_what, text, expected) => {
    const items = await readBatchFile({ name: join(folder, 'file'), bytes: utf8(text) })
    const brief = items.map((item) => (item.kind === 'container' ? `${item.subject} container` : item))
    expect(await Promise.all(brief.map(async (item) => (typeof item === 'string' ? item : (await verdicts([item]))[0])))).toEqual(expected)
  })

  it('is what it is said to be, where that is said', async () => {
    const items = await readBatchFile({ name: 'x', bytes: utf8('a.example/x:1'), kind: 'images' })
    expect(items).toMatchObject([{ kind: 'container', at: { file: 'x', line: 1, column: 1 } }])
    await expect(readBatchFile({ name: 'x', bytes: utf8('a.example/x:1'), kind: 'checksums' })).rejects.toMatchObject({
      code: 'batch_malformed',
    })
  })

  it('attack: bytes that are no text', async () => {
    await expect(readBatchFile({ name: 'x', bytes: new Uint8Array([0xff, 0xfe, 0]) })).rejects.toMatchObject({ code: 'utf8_malformed' })
  })
})
