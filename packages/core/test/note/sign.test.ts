import { generateKeyPairSync, hash, sign, verify, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/bytes.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import { verifyCheckpoint } from '../../src/note/checkpoint.ts'
import { noteKeyId } from '../../src/note/key-id.ts'
import { cosignatureSigner, cosignedMessage, logNoteSigner, signCheckpoint, signNoteText, splitCosignature } from '../../src/note/sign.ts'
import { parseSignedNote } from '../../src/note/signed-note.ts'
import { webPrimitives } from '../../src/web-primitives.ts'

function keyPair(type: 'ed25519' | 'ec'): { privateKey: KeyObject; publicKey: ReturnType<typeof parsePublicKey>; object: KeyObject } {
  const pair = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = new Uint8Array(pair.publicKey.export({ type: 'spki', format: 'der' }))
  return { privateKey: pair.privateKey, publicKey: parsePublicKey(spki), object: pair.publicKey }
}

const primitives = webPrimitives(crypto.subtle)
const rootHash = new Uint8Array(hash('sha256', 'root', 'buffer'))

describe('signing of checkpoints', () => {
  it.each([
    ['ed25519', 'PKIX_ED25519', null],
    ['ec', 'PKIX_ECDSA_P256_SHA_256', 'sha256'],
  ] as const)('makes one that a verifier with the %s key of the log takes', async (type, algorithm, digest) => {
    const { privateKey, publicKey } = keyPair(type)
    const signer = await logNoteSigner(primitives, 'log.example', publicKey, (text) => new Uint8Array(sign(digest, text, privateKey)))
    const envelope = await signCheckpoint({ origin: 'log.example', size: 7, rootHash }, [signer])
    const logId = await noteKeyId(primitives, 'log.example', publicKey)
    const log = { baseUrl: 'https://log.example/rekor2', publicKey, algorithm, logId, validFor: {} } as never
    const verified = await verifyCheckpoint({ envelope, log, primitives })
    expect(verified).toMatchObject({ ok: true, checkpoint: { size: 7, rootHash } })
  })

  it('adds a cosignature over the time and the text', async () => {
    const { privateKey, publicKey, object } = keyPair('ed25519')
    const witness = await cosignatureSigner(
      primitives,
      'witness.example/w1',
      publicKey,
      (text) => new Uint8Array(sign(null, text, privateKey)),
      () => 1_700_000_000,
    )
    const text = 'log.example\n7\nAAAA\n'
    const note = parseSignedNote(`${text}\n${await signNoteText(text, witness)}`)
    const parts = splitCosignature(note.signatures[0]?.signature as Uint8Array)
    expect(parts?.seconds).toBe(1_700_000_000)
    const message = cosignedMessage(1_700_000_000, utf8(text))
    expect(new TextDecoder().decode(message)).toBe(`cosignature/v1\ntime 1700000000\n${text}`)
    expect(verify(null, message, object, parts?.signature as Uint8Array)).toBe(true)
    expect(splitCosignature(new Uint8Array(64))).toBeUndefined()
  })

  it('refuses a name that would not be one word in the line, and a witness of another kind', async () => {
    const { publicKey } = keyPair('ec')
    const none = (): Uint8Array => new Uint8Array(64)
    for (const name of ['', 'a b', 'a+b', 'a\nb']) {
      await expect(logNoteSigner(primitives, name, publicKey, none)).rejects.toMatchObject({ code: 'note_malformed' })
    }
    await expect(cosignatureSigner(primitives, 'w', publicKey, none, () => 0)).rejects.toMatchObject({ code: 'key_unsupported' })
  })
})
