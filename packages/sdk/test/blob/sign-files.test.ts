import { utf8 } from '@countersign/core/bytes'
import { parseBundle } from '@countersign/core/bundle/parse'
import { digestHex } from '@countersign/core/digest'
import { parseStatement, signaturePredicateType, type Statement } from '@countersign/core/statement/statement'
import { attestFiles, type NamedFile, signFiles } from '@countersign/sdk/blob/sign-files'
import { bytesBlobSource } from '@countersign/sdk/blob/source'
import { verifyBlob, verifyBlobAttestation } from '@countersign/sdk/blob/verify'
import { keyPolicy, testSigner } from '@countersign/testkit/image-fixture'
import { sha256Digest } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const named = (name: string, text = name): NamedFile => ({ name, source: bytesBlobSource(name, utf8(text)) })

function statementIn(bundle: Uint8Array): Statement {
  const { content } = parseBundle(bundle)
  return parseStatement(content.kind === 'dsse' ? content.envelope.payload : new Uint8Array())
}

describe('one signature over many files', () => {
  it('is an in-toto statement of the type of signatures that names each file, sorted, with its SHA-256', async () => {
    const { bundle, files } = await signFiles([named('b/c'), named('a'), named('b')], testSigner())
    const statement = statementIn(bundle)
    expect(statement.predicateType).toBe(signaturePredicateType)
    expect(statement.subjects.map(({ name, digest }) => [name, digest['sha256']])).toEqual(
      ['a', 'b', 'b/c'].map((name) => [name, digestHex(sha256Digest(utf8(name)))]),
    )
    expect(files.map(({ name }) => name)).toEqual(['a', 'b', 'b/c'])
  })

  it('is the same whatever the order of the files', async () => {
    const [one, other] = await Promise.all([
      signFiles([named('a'), named('b')], testSigner()),
      signFiles([named('b'), named('a')], testSigner()),
    ])
    expect(statementIn(one.bundle)).toEqual(statementIn(other.bundle))
  })

  it('verifies for each of them, and for no other file', async () => {
    const signer = testSigner()
    const { bundle: evidence } = await signFiles([named('a'), named('b')], signer)
    const policy = keyPolicy([signer])
    for (const name of ['a', 'b'])
      expect(await verifyBlob({ artifact: named(name).source, evidence, policy, nowMs })).toMatchObject({ ok: true })
    expect(await verifyBlob({ artifact: named('c').source, evidence, policy, nowMs })).toMatchObject({
      ok: false,
      code: 'subject_mismatch',
    })
  })

  it('is a signature and no attestation', async () => {
    const signer = testSigner()
    const { bundle: evidence } = await signFiles([named('a')], signer)
    const policy = { ...keyPolicy([signer]), content: { kind: 'attestation' } as const }
    expect(await verifyBlobAttestation({ artifact: named('a').source, evidence, policy, nowMs })).toMatchObject({
      code: 'predicate_mismatch',
    })
  })

  it.for([
    ['none', []],
    ['one name twice', [named('a', '1'), named('a', '2')]],
    ['a name that leads out', [named('../a')]],
    ['a name that leads out in the middle', [named('a/../../b')]],
    ['an absolute name', [named('/etc/passwd')]],
    ['a name with a drive', [named('C:x')]],
    ['a name with a backslash', [named(String.raw`a\b`)]],
    ['a name with a line break', [named('a\nb')]],
    ['a name that is empty', [named('')]],
    ['a name beyond the bound', [named('a'.repeat(1025))]],
  ] as const)('of %s is wrong usage', async ([, files]) => {
    await expect(signFiles(files, testSigner())).rejects.toMatchObject({ code: 'usage' })
  })

  it('of more files than readers take is refused before one is read', async () => {
    const files = Array.from({ length: 100_001 }, (_, at) => named(`f${at}`))
    await expect(signFiles(files, testSigner())).rejects.toMatchObject({ code: 'limit_exceeded' })
  })
})

describe('one attestation of many files', () => {
  const source = { kind: 'predicate', predicateType: 'https://example.org/t/v1', predicate: utf8('{"n":1.10}') } as const

  it('names each, keeps the bytes of the predicate, and verifies for each', async () => {
    const signer = testSigner()
    const { bundle: evidence, statement } = await attestFiles([named('b'), named('a')], { source, signer })
    expect(parseStatement(statement)).toMatchObject({ predicateType: source.predicateType, predicateBytes: source.predicate })
    const policy = keyPolicy([signer], { kind: 'attestation', predicateType: source.predicateType })
    for (const name of ['a', 'b'])
      expect(await verifyBlobAttestation({ artifact: named(name).source, evidence, policy, nowMs })).toMatchObject({ ok: true })
    expect(await verifyBlobAttestation({ artifact: named('c').source, evidence, policy, nowMs })).toMatchObject({
      code: 'subject_mismatch',
    })
  })

  it('of a statement of your own is refused unless it names every file', async () => {
    const { statement } = await attestFiles([named('a')], { source, signer: testSigner() })
    const own = { kind: 'statement', statement } as const
    await expect(attestFiles([named('a'), named('b')], { source: own, signer: testSigner() })).rejects.toMatchObject({
      code: 'subject_mismatch',
    })
  })

  it('that claims to be a signature is refused', async () => {
    const forged = { ...source, predicateType: signaturePredicateType }
    await expect(attestFiles([named('a')], { source: forged, signer: testSigner() })).rejects.toMatchObject({ code: 'usage' })
  })
})
