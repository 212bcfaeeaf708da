import { utf8 } from '@countersign/core/bytes'
import { serializeLegacyBundle } from '@countersign/core/bundle/legacy'
import { parseBundle } from '@countersign/core/bundle/parse'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { makeBundle } from '@countersign/sdk/blob/make-bundle'
import { bytesBlobSource } from '@countersign/sdk/blob/source'
import { signBlob } from '@countersign/sdk/blob/sign'
import { verifyBlob } from '@countersign/sdk/blob/verify'
import { keyPolicy, testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const artifact = bytesBlobSource('app', utf8('the artifact'))

describe('a bundle made of', () => {
  it.each(['P-256', 'P-384', 'P-521', 'rsa', 'ed25519'] as const)(
    'a detached signature by %s verifies, in base64 and raw',
    async (type) => {
      const signer = testSigner(type)
      const { signature } = await signBlob(artifact, signer)
      for (const evidence of [signature, utf8(`${Buffer.from(signature).toString('base64')}\n`)]) {
        const { bundle, verification } = await makeBundle({ evidence, artifact, key: signer.publicKey, nowMs })
        expect(parseBundle(bundle).version).toBe('0.3')
        const policy = keyPolicy([signer], { kind: 'signature' })
        expect((await verifyBlob({ artifact, evidence: bundle, policy, nowMs })).ok).toBe(true)
        expect(verification?.ok).toBe(true)
      }
    },
  )

  it('a raw signature that begins with a brace, as one in 256 does, is read as a signature', async () => {
    const signer = testSigner('ed25519')
    for (let tried = 0; ; tried++) {
      const source = bytesBlobSource('app', utf8(`artifact ${tried}`))
      const { signature } = await signBlob(source, signer)
      if (signature[0] !== 0x7b) continue
      const { verification } = await makeBundle({ evidence: signature, artifact: source, key: signer.publicKey, nowMs })
      expect(verification?.ok).toBe(true)
      return
    }
  })

  it.each([1, 63, 72, 100, 255, 513, 1024])('%d bytes at random is refused: they have the form of no signature', async (length) => {
    const evidence = new Uint8Array(length).fill(0x9c)
    await expect(makeBundle({ evidence, artifact, nowMs })).rejects.toMatchObject({ code: 'bundle_malformed' })
  })

  it('an older bundle needs the file for its digest, keeps the hint at the key in it, and trusts that key for nothing', async () => {
    const [signer, attacker] = [testSigner(), testSigner()]
    const { signature } = await signBlob(artifact, attacker)
    const evidence = serializeLegacyBundle(signature, encodePublicKeyPem(attacker.publicKey))
    await expect(makeBundle({ evidence, nowMs })).rejects.toMatchObject({ code: 'not_supported' })
    expect((await makeBundle({ evidence, artifact, nowMs })).verification).toBeUndefined()
    expect((await makeBundle({ evidence, artifact, key: signer.publicKey, nowMs })).verification?.ok).toBe(false)
  })

  it('a bundle v0.3 is the same bundle', async () => {
    const { bundle } = await signBlob(artifact, testSigner())
    expect((await makeBundle({ evidence: bundle, nowMs })).bundle).toStrictEqual(bundle)
  })

  it('parts that do not belong together is refused by its own verification', async () => {
    const signer = testSigner()
    const { signature } = await signBlob(artifact, signer)
    const other = bytesBlobSource('other', utf8('another artifact'))
    const { verification } = await makeBundle({ evidence: signature, artifact: other, key: signer.publicKey, nowMs })
    expect(verification).toMatchObject({ ok: false })
  })
})
