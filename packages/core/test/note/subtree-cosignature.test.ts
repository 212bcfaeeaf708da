import { generateKeyPairSync, hash, sign, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseSignedNote } from '../../src/note/signed-note.ts'
import { signNoteText } from '../../src/note/sign.ts'
import { cosignedTree, mlDsa44Bytes, subtreeCosignatureSigner } from '../../src/note/subtree-cosignature.ts'
import { webPrimitives } from '../../src/web-primitives.ts'

const primitives = webPrimitives(crypto.subtle)
const rootHash = new Uint8Array(hash('sha256', 'root', 'buffer'))
const text = `log.example\n42\n${Buffer.from(rootHash).toString('base64')}\n`

describe('an ML-DSA-44 cosignature', () => {
  it('is over the structure of the specification, byte for byte', () => {
    const message = Buffer.from(cosignedTree('w.example/1', 1_700_000_000, { origin: 'log.example', size: 42, rootHash, extensions: [] }))
    const expected = Buffer.concat([
      Buffer.from('737562747265652f76310a00', 'hex'),
      Buffer.from('\u000bw.example/1'),
      Buffer.from('000000006553f100', 'hex'),
      Buffer.from('\u000blog.example'),
      Buffer.from('0000000000000000000000000000002a', 'hex'),
      rootHash,
    ])
    expect(message.toString('hex')).toBe(expected.toString('hex'))
  })

  it('verifies with OpenSSL, and its key hash binds name, type and key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ml-dsa-44')
    const raw = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-mlDsa44Bytes.publicKey))
    const signer = await subtreeCosignatureSigner(
      primitives,
      'w',
      raw,
      (message) => new Uint8Array(sign(null, message, privateKey)),
      () => 7,
    )
    const [line] = parseSignedNote(`${text}\n${await signNoteText(text, signer)}`).signatures
    const id = hash('sha256', Buffer.concat([Buffer.from('w\n\u0006'), raw]), 'buffer')
    expect([...(line?.keyHash ?? [])]).toEqual([...id.subarray(0, 4)])
    expect(line?.signature).toHaveLength(8 + mlDsa44Bytes.signature)
    const message = cosignedTree('w', 7, { origin: 'log.example', size: 42, rootHash, extensions: [] })
    expect(verify(null, message, publicKey, line?.signature.subarray(8) ?? new Uint8Array(0))).toBe(true)
  })

  it('needs a key and names of the right length', async () => {
    const none = (): Uint8Array => new Uint8Array(0)
    await expect(subtreeCosignatureSigner(primitives, 'w', new Uint8Array(32), none, () => 0)).rejects.toMatchObject({
      code: 'key_malformed',
    })
    expect(() => cosignedTree('', 0, { origin: 'o', size: 0, rootHash, extensions: [] })).toThrow(/1 to 255/)
    expect(() => cosignedTree('w', 0, { origin: 'o'.repeat(256), size: 0, rootHash, extensions: [] })).toThrow(/1 to 255/)
  })
})
