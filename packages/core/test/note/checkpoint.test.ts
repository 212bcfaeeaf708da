import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseBundle } from '@countersign/core/bundle/parse'
import { concatBytes, equalBytes, utf8 } from '@countersign/core/bytes'
import { bytesToBase64 } from '@countersign/core/base64'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { formatCheckpoint, logName, parseCheckpoint, shardName, verifyCheckpoint } from '@countersign/core/note/checkpoint'
import { noteKeyId } from '@countersign/core/note/key-id'
import { formatSignatureLine } from '@countersign/core/note/signed-note'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { LogInstance } from '@countersign/core/trust/model'
import { nodePrimitives as primitives } from '@countersign/sdk/crypto/node-primitives'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { refusal } from '../refusal.ts'

const root = bytesToBase64(new Uint8Array(32).fill(5))
const body = formatCheckpoint('log.example', 736, root)

describe('parseCheckpoint', () => {
  it('reads origin, size, root hash and extensions', () => {
    expect(parseCheckpoint(formatCheckpoint('log.example', 0, root, ['Timestamp: 1']))).toEqual({
      origin: 'log.example',
      size: 0,
      rootHash: new Uint8Array(32).fill(5),
      extensions: ['Timestamp: 1'],
    })
  })

  it.each([
    ['no origin', `\n736\n${root}\n`],
    ['a size with a leading zero', body.replace('736', '0736')],
    ['a size with a sign', body.replace('736', '+736')],
    ['a size beyond 2^53', body.replace('736', '9007199254740992')],
    ['no size', `log.example\n${root}\n`],
    ['no root hash', 'log.example\n736\n'],
    ['a root hash of 31 bytes', formatCheckpoint('a', 1, bytesToBase64(new Uint8Array(31)))],
    ['a root hash that is not base64', formatCheckpoint('a', 1, '!')],
    ['an empty extension line', `${body}\n`],
    [
      'too many extension lines',
      formatCheckpoint(
        'a',
        1,
        root,
        Array.from({ length: 33 }, () => 'x'),
      ),
    ],
    ['no newline at the end', body.trimEnd()],
  ])('refuses %s', (_, text) => {
    expect(refusal(() => parseCheckpoint(text))).toBe('checkpoint_malformed')
  })
})

describe('the names of logs', () => {
  it('are the host of the base URL, without port and path', () => {
    expect(logName({ baseUrl: 'https://log2025-1.rekor.example:8443/tenant/' })).toBe('log2025-1.rekor.example')
    expect(logName({ baseUrl: 'http://[::1]:3000' })).toBe('[::1]')
    for (const baseUrl of ['', 'rekor.example', 'ftp://a', 'https://user@host/', 'https:///x']) expect(logName({ baseUrl })).toBeUndefined()
  })

  it('stand before the tree number in an origin of Rekor v1', () => {
    expect(shardName('rekor.example - 1193050959916656506')).toBe('rekor.example')
    for (const origin of ['rekor.example', 'rekor.example - x', 'a b - 1', ' - 1', 'rekor.example - 1 '])
      expect(shardName(origin)).toBeUndefined()
  })
})

/** A log with a key of its own, and a signature line for a text under any name. */
const makeLog = async (type: 'ed25519' | 'ec', name = 'log.example') => {
  const pair: { publicKey: KeyObject; privateKey: KeyObject } =
    type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const publicKey = parsePublicKey(new Uint8Array(pair.publicKey.export({ type: 'spki', format: 'der' })))
  const logId = await noteKeyId(primitives, name, publicKey)
  const log: LogInstance = {
    baseUrl: `https://${name}`,
    hashAlgorithm: 'sha256',
    publicKey,
    algorithm: type === 'ec' ? 'PKIX_ECDSA_P256_SHA_256' : 'PKIX_ED25519',
    validFor: { start: 0 },
    logId,
  }
  const line = (text: string, keyName = name, keyHash = logId.slice(0, 4)): string =>
    formatSignatureLine(
      keyName,
      bytesToBase64(concatBytes(keyHash, new Uint8Array(sign(type === 'ec' ? 'sha256' : null, utf8(text), pair.privateKey)))),
    )
  return { log, line }
}

describe('verifyCheckpoint', () => {
  it('holds under the signature of a Rekor v2 log, whose name is the host', async () => {
    const { log, line } = await makeLog('ed25519')
    expect(await verifyCheckpoint({ envelope: `${body}\n${line(body)}`, log, primitives })).toMatchObject({
      ok: true,
      checkpoint: { size: 736 },
      keyName: 'log.example',
      otherSignatures: 0,
    })
  })

  it('holds under the signature of a Rekor v1 log, which names itself before its tree number', async () => {
    const { log, line } = await makeLog('ec', 'rekor.example')
    const text = formatCheckpoint('rekor.example - 42', 7, root)
    expect(
      await verifyCheckpoint({ envelope: `${text}\n${line(text)}`, log: { ...log, baseUrl: 'http://127.0.0.1:3000' }, primitives }),
    ).toMatchObject({ ok: true })
  })

  it('counts witnesses and other keys of the log, which it cannot verify, and ignores them wherever they stand', async () => {
    const { log, line } = await makeLog('ed25519')
    const [witness, second] = [await makeLog('ed25519', 'witness.example'), await makeLog('ec')]
    const envelope = `${body}\n${witness.line(body)}${second.line(body)}${line(body)}`
    expect(await verifyCheckpoint({ envelope, log, primitives })).toMatchObject({ ok: true, otherSignatures: 2 })
  })

  it('needs one line that holds among several with the hint of the key', async () => {
    const { log, line } = await makeLog('ed25519')
    const forged = line('another text\n')
    expect(await verifyCheckpoint({ envelope: `${body}\n${forged}${line(body)}`, log, primitives })).toMatchObject({ ok: true })
    expect(await verifyCheckpoint({ envelope: `${body}\n${forged}`, log, primitives })).toMatchObject({
      ok: false,
      code: 'checkpoint_invalid',
    })
  })

  it('attack: a hundred lines under the name of the log cost no hundred verifications', async () => {
    const { log, line } = await makeLog('ed25519')
    let verifications = 0
    const counting = {
      ...primitives,
      verify: (...parameters: Parameters<typeof primitives.verify>) => {
        verifications++
        return primitives.verify(...parameters)
      },
    }
    const forged = line('another text\n').repeat(99)
    const result = await verifyCheckpoint({ envelope: `${body}\n${forged}${line(body)}`, log, primitives: counting })
    expect(result).toMatchObject({ ok: false, code: 'checkpoint_invalid' })
    expect(verifications).toBeLessThanOrEqual(8)
  })

  it.each([
    ['attack: a checkpoint of another log under its own valid signature', 'other.example', undefined, undefined],
    ['attack: a valid signature under a hint of no key', 'log.example', undefined, Uint8Array.of(1, 2, 3, 4)],
    ['attack: a valid signature under another name', 'log.example', 'evil.example', undefined],
  ])('%s', async (_, origin, keyName, keyHash) => {
    const { log, line } = await makeLog('ed25519')
    const text = formatCheckpoint(origin, 736, root)
    expect(await verifyCheckpoint({ envelope: `${text}\n${line(text, keyName, keyHash)}`, log, primitives })).toMatchObject({
      ok: false,
      code: 'checkpoint_invalid',
    })
  })

  it('refuses what is no note, no checkpoint, or a log without a name', async () => {
    const { log, line } = await makeLog('ed25519')
    const envelope = `${body}\n${line(body)}`
    for (const bad of ['', body, `x\n\n${line('x\n')}`]) {
      expect(await verifyCheckpoint({ envelope: bad, log, primitives })).toMatchObject({ ok: false, code: 'checkpoint_invalid' })
    }
    expect(await verifyCheckpoint({ envelope, log: { ...log, baseUrl: '' }, primitives })).toMatchObject({
      ok: false,
      code: 'checkpoint_invalid',
    })
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)('the checkpoints of the Sigstore conformance suite', () => {
  const cases = join(folder ?? '', 'sigstore-conformance/bundle-verify')
  const verifyCase = async (name: string): Promise<boolean> => {
    const own = join(cases, name, 'trusted_root.json')
    const trusted = parseTrustedRoot(readFileSync(existsSync(own) ? own : join(folder ?? '', 'sigstore-public-good/trusted_root.json')))
    const [entry] = parseBundle(readFileSync(join(cases, name, 'bundle.sigstore.json'))).logEntries
    const log = trusted.logs.find((candidate) => equalBytes(candidate.logId, entry?.logId ?? utf8('')))
    const envelope = entry?.inclusionProof?.checkpoint
    if (log === undefined || envelope === undefined) throw new TypeError('the case has no log entry of a known log')
    return (await verifyCheckpoint({ envelope, log, primitives })).ok
  }

  it.each([
    'happy-path-v0.3',
    'managed-key-happy-path',
    'rekor2-happy-path',
    'rekor2-dsse-happy-path',
    'rekor2-checkpoint-cosigned',
    'rekor2-checkpoint-multiple-cosigs',
    'rekor2-checkpoint-origin-not-first',
    'rekor2-checkpoint-two-sigs-cosigned',
    'rekor2-checkpoint-two-sigs-from-origin',
  ])('%s holds', async (name) => {
    expect(await verifyCase(name)).toBe(true)
  })

  it.each([
    'checkpoint-bad-keyhint_fail',
    'invalid-checkpoint-signature_fail',
    'rekor2-checkpoint-missing-log-signature_fail',
    'rekor2-checkpoint-missing-origin_fail',
    'rekor2-checkpoint-missing-root-hash_fail',
    'rekor2-checkpoint-missing-size_fail',
    'rekor2-checkpoint-no-matching-signature_fail',
  ])('%s is refused', async (name) => {
    expect(await verifyCase(name)).toBe(false)
  })
})
