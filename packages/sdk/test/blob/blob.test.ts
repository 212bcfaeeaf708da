import { generateKeyPairSync, sign as ed25519 } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesToBase64 } from '@countersign/core/base64'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { decodePem } from '@countersign/core/pem'
import { preAuthEncoding } from '@countersign/core/dsse/envelope'
import { parseStatement } from '@countersign/core/statement/statement'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { attestBlob, attestDigest, signBlob } from '@countersign/sdk/blob/sign'
import { bytesBlobSource, fileBlobSource } from '@countersign/sdk/blob/source'
import { verifyBlob, verifyBlobAttestation } from '@countersign/sdk/blob/verify'
import { openSigner } from '@countersign/sdk/keys/file-signer'
import type { BlobSource } from '@countersign/sdk/sign/requests'
import { keyPolicy, testSigner } from '@countersign/testkit/image-fixture'
import { sha256Digest } from '@countersign/testkit/memory-repository'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'countersign-blob-'))
afterAll(() => rmSync(folder, { recursive: true }))
const nowMs = Date.UTC(2026, 10, 20)
const content = utf8('what is signed\n'.repeat(300_000))
const path = join(folder, 'artifact')
writeFileSync(path, content)
const altered = bytesBlobSource('altered', utf8('something else'))

/** Standard input, as far as signing sees it: chunks, once. */
function once(bytes: Uint8Array): BlobSource {
  let opened = false
  return {
    name: '-',
    open: async function* () {
      if (opened) throw new CountersignError('internal', 'standard input cannot be read twice')
      opened = true
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
    },
  }
}

describe('a signed file', () => {
  it.each(['P-256', 'P-384', 'P-521', 'rsa', 'ed25519'] as const)(
    'verifies by bundle and by detached signature with a %s key',
    async (type) => {
      const signer = testSigner(type)
      for (const source of [fileBlobSource(path), once(content)]) {
        const signed = await signBlob(source, Promise.resolve(signer))
        const policy = keyPolicy([signer])
        const base64 = utf8(`${bytesToBase64(signed.signature)}\n`)
        for (const evidence of [signed.bundle, signed.signature, base64]) {
          const good = await verifyBlob({ artifact: fileBlobSource(path), evidence, policy, nowMs })
          expect(good).toMatchObject({ ok: true })
          expect((await verifyBlob({ artifact: altered, evidence, policy, nowMs })).ok).toBe(false)
        }
      }
    },
  )

  it('tells an altered file from a wrong key, when a bundle says what was signed', async () => {
    const signer = testSigner()
    const { bundle } = await signBlob(fileBlobSource(path), signer)
    const file = fileBlobSource(path)
    expect(await verifyBlob({ artifact: altered, evidence: bundle, policy: keyPolicy([signer]), nowMs })).toMatchObject({
      code: 'artifact_altered',
    })
    expect(await verifyBlob({ artifact: file, evidence: bundle, policy: keyPolicy([testSigner()]), nowMs })).toMatchObject({
      code: 'signer_untrusted',
    })
  })

  it('attack: a file that is what the signature of an envelope is over is not signed', async () => {
    const statement = utf8('{"_type":"https://in-toto.io/Statement/v1"}')
    const source = bytesBlobSource('notes.txt', preAuthEncoding('application/vnd.in-toto+json', statement))
    await expect(signBlob(source, testSigner())).rejects.toMatchObject({ code: 'usage' })
  })

  it('verifies by digest alone', async () => {
    const signer = testSigner()
    const { bundle, digest } = await signBlob(fileBlobSource(path), signer)
    expect(digest).toBe(sha256Digest(content))
    expect((await verifyBlob({ artifact: digest, evidence: bundle, policy: keyPolicy([signer]), nowMs })).ok).toBe(true)
  })

  it('is hashed while the key is being decrypted, and again if the key signs another hash', async () => {
    const signer = testSigner('P-384')
    const late = new Promise<typeof signer>((resolve) => setTimeout(() => resolve(signer), 20))
    const signed = await signBlob(fileBlobSource(path), late)
    expect(signed.digest.startsWith('sha384:')).toBe(true)
    expect((await verifyBlob({ artifact: fileBlobSource(path), evidence: signed.bundle, policy: keyPolicy([signer]), nowMs })).ok).toBe(
      true,
    )
  })

  it('that does not exist, or is a folder, has a code of its own', async () => {
    const missing = fileBlobSource(join(folder, 'nothing'))
    await expect(signBlob(missing, testSigner())).rejects.toMatchObject({ code: 'file_not_found' })
    await expect(signBlob(fileBlobSource(folder), testSigner())).rejects.toMatchObject({ code: 'io_failed' })
    const { bundle } = await signBlob(fileBlobSource(path), testSigner())
    expect(await verifyBlob({ artifact: missing, evidence: bundle, policy: keyPolicy([testSigner()]), nowMs })).toMatchObject({
      code: 'file_not_found',
    })
  })

  it('is verified by the bytes that were hashed, also when its source fills one Buffer again and again (pure Ed25519 keeps them)', async () => {
    const keys = generateKeyPairSync('ed25519')
    const signer = openSigner(keys.privateKey.export({ type: 'pkcs8', format: 'der' }))
    const message = Buffer.from('first second')
    const source: BlobSource = {
      name: 'reused',
      open: async function* () {
        const buffer = Buffer.alloc(6)
        for (const part of ['first ', 'second']) {
          buffer.write(part)
          yield buffer
        }
      },
    }
    const evidence = ed25519(null, message, keys.privateKey)
    expect(await verifyBlob({ artifact: source, evidence, policy: keyPolicy([signer]), nowMs })).toMatchObject({ ok: true })
  })

  it('of no bytes is signed too', async () => {
    const empty = join(folder, 'empty')
    writeFileSync(empty, '')
    const signer = testSigner()
    const { bundle, digest } = await signBlob(fileBlobSource(empty), signer)
    expect(digest).toBe(sha256Digest(utf8('')))
    expect((await verifyBlob({ artifact: fileBlobSource(empty), evidence: bundle, policy: keyPolicy([signer]), nowMs })).ok).toBe(true)
  })
})

describe('evidence that is no evidence', () => {
  const attempts = [
    ['truncated JSON', utf8('{"mediaType":')],
    ['an unknown JSON document', utf8('{"a":1}')],
    ['a JSON document with a member twice', utf8('{"mediaType":"a","mediaType":"b"}')],
    ['a large file of other content', content],
  ] as const
  it.each(attempts)('%s is refused as malformed', async (_name, evidence) => {
    const result = await verifyBlob({ artifact: fileBlobSource(path), evidence, policy: keyPolicy([testSigner()]), nowMs })
    expect(result).toMatchObject({ ok: false, code: 'bundle_malformed' })
  })
})

describe('an attested file', () => {
  it('may be known by its digest alone, or by what a whole statement names', async () => {
    const signer = testSigner()
    const digest = sha256Digest(readFileSync(path))
    const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
    const attested = await attestDigest({ name: 'dist/artifact', digest }, { source, signer })
    expect(attested.statement).toEqual((await attestBlob(fileBlobSource(path), { source, signer })).statement)
    const whole = { kind: 'statement', statement: attested.statement } as const
    expect((await attestDigest(undefined, { source: whole, signer })).digest).toBe(digest)
    const other = { name: '', digest: sha256Digest(utf8('other')) }
    await expect(attestDigest(other, { source: whole, signer })).rejects.toMatchObject({ code: 'subject_mismatch' })
    await expect(attestDigest(undefined, { source, signer })).rejects.toMatchObject({ code: 'usage' })
  })

  it('verifies by type, with the file or its digest, and is no signature', async () => {
    const signer = testSigner()
    const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{"n": 1.10}') } as const
    const attested = await attestBlob(fileBlobSource(path), { source, signer })
    expect(parseStatement(attested.statement)).toMatchObject({ version: '0.1', subjects: [{ name: 'artifact' }] })
    expect(fromUtf8(attested.statement)).toContain('{"n": 1.10}')
    const policy = keyPolicy([signer], { kind: 'attestation', predicateType: 'https://example.com/p' })
    for (const evidence of [attested.bundle, attested.envelope]) {
      for (const artifact of [fileBlobSource(path), attested.digest]) {
        expect(await verifyBlobAttestation({ artifact, evidence, policy, nowMs })).toMatchObject({ ok: true })
      }
      expect(await verifyBlobAttestation({ artifact: altered, evidence, policy, nowMs })).toMatchObject({ code: 'subject_mismatch' })
      const asSignature = await verifyBlob({ artifact: fileBlobSource(path), evidence, policy: keyPolicy([signer]), nowMs })
      expect(asSignature).toMatchObject({ ok: false, code: 'predicate_mismatch' })
    }
  })

  it('needs the file or its digest, unless the claims are waived by name', async () => {
    const signer = testSigner()
    const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
    const { bundle } = await attestBlob(fileBlobSource(path), { source, signer, hash: 'sha512' })
    const policy = keyPolicy([signer], { kind: 'attestation' })
    await expect(verifyBlobAttestation({ evidence: bundle, policy, nowMs })).rejects.toMatchObject({ code: 'usage' })
    const waived: VerifyPolicy = { ...policy, claims: { kind: 'waived_UNSAFE', reason: 'test' } }
    const result = await verifyBlobAttestation({ evidence: bundle, policy: waived, nowMs })
    expect(result).toMatchObject({ ok: true, evidence: { waivers: [{ check: 'artifact_digest' }] } })
  })

  it('takes a statement verbatim only if it names the file, and never one that claims to be a signature', async () => {
    const statement = (digest: string, type: string): Uint8Array =>
      utf8(
        `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${digest}"}}],"predicateType":"${type}","predicate":{}}`,
      )
    const own = sha256Digest(content).slice(7)
    const attest = (bytes: Uint8Array): Promise<unknown> =>
      attestBlob(fileBlobSource(path), { source: { kind: 'statement', statement: bytes }, signer: testSigner() })
    await expect(attest(statement(own, 'https://example.com/p'))).resolves.toBeDefined()
    await expect(attest(statement('0'.repeat(64), 'https://example.com/p'))).rejects.toMatchObject({ code: 'subject_mismatch' })
    await expect(attest(statement(own, 'https://sigstore.dev/cosign/sign/v1'))).rejects.toMatchObject({ code: 'usage' })
  })
})

const vectors = vectorsFolder()
const cosign = join(vectors ?? '', 'cosign-3.1.1')

describe.skipIf(vectors === undefined)('what cosign 3.1.1 wrote beside a file', () => {
  const policyOf = (name: string, kind: 'signature' | 'attestation' = 'signature'): VerifyPolicy => {
    const [block] = decodePem(readFileSync(join(cosign, 'keys', `${name}.pub`), 'utf8'))
    const key = parsePublicKey(block?.bytes ?? new Uint8Array())
    return { ...keyPolicy([], { kind }), signer: { kind: 'keys', keys: [{ key, label: name }] } }
  }
  const verifyWith = (file: string, evidence: string, policy: VerifyPolicy): ReturnType<typeof verifyBlob> =>
    verifyBlob({ artifact: fileBlobSource(join(cosign, 'blob', file)), evidence: readFileSync(join(cosign, evidence)), policy, nowMs })

  it.each([
    ['blob/b.sigstore.json', 'cosign'],
    ['blob/b.bundle-create.json', 'cosign'],
    ['blob/b.legacy-bundle.json', 'cosign'],
    ['blob/b.sig', 'cosign'],
    ['blob/b-rsa2048.sigstore.json', 'imp-rsa2048'],
    ['blob/b-rsa3072-p8.sigstore.json', 'imp-rsa3072-p8'],
    ['blob/b-ec384.sigstore.json', 'imp-ec384'],
    ['blob/b-ec521.sigstore.json', 'imp-ec521'],
  ])('%s verifies with the key %s', async (evidence, key) => {
    expect(await verifyWith('b.txt', evidence, policyOf(key))).toMatchObject({ ok: true })
    expect((await verifyWith('evil.txt', evidence, policyOf(key))).ok).toBe(false)
    expect((await verifyWith('b.txt', evidence, policyOf('nopw'))).ok).toBe(false)
  })

  it.each(['ab.sigstore.json', 'ab.num.json', 'ab.stmt.json', 'ab.old.json', 'att.sig'])('attestation %s verifies', async (name) => {
    expect(await verifyWith('b.txt', `attest-blob/${name}`, policyOf('cosign', 'attestation'))).toMatchObject({ ok: true })
    expect((await verifyWith('evil.txt', `attest-blob/${name}`, policyOf('cosign', 'attestation'))).ok).toBe(false)
    expect(await verifyWith('b.txt', `attest-blob/${name}`, policyOf('cosign'))).toMatchObject({ code: 'predicate_mismatch' })
  })

  it('the key inside a legacy bundle never overrides the key of the verifier (GHSA-fx35-mq7g-6g98)', async () => {
    expect(await verifyWith('evil.txt', 'blob/evil.old.json', policyOf('cosign'))).toMatchObject({ ok: false, code: 'signer_untrusted' })
  })
})
