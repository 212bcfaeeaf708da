import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { parseEnvelope, preAuthEncoding, serializeEnvelope } from '@countersign/core/dsse/envelope'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { refusal } from '../refusal.ts'

const envelope = (change: Record<string, unknown> = {}): string =>
  JSON.stringify({ payload: 'aGVsbG8=', payloadType: 'application/x', signatures: [{ sig: 'AAEC' }], ...change })

describe('preAuthEncoding', () => {
  it('is that of the specification', () => {
    expect(fromUtf8(preAuthEncoding('http://example.com/HelloWorld', utf8('hello world')))).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    )
  })

  it('counts bytes, not characters, so that type and payload cannot run into each other', () => {
    expect(fromUtf8(preAuthEncoding('é', utf8('ü')))).toBe('DSSEv1 2 é 2 ü')
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (type, payload, otherType, otherPayload) => {
        const same = fromUtf8(preAuthEncoding(type, utf8(payload))) === fromUtf8(preAuthEncoding(otherType, utf8(otherPayload)))
        expect(same).toBe(type === otherType && payload === otherPayload)
      }),
    )
  })
})

describe('parseEnvelope', () => {
  it('reads payload, type and signatures, and ignores fields that it does not know', () => {
    expect(
      parseEnvelope(
        envelope({
          extra: 1,
          signatures: [
            { sig: 'AAEC', keyid: 'k', cert: 'x' },
            { sig: 'AA==', keyid: '' },
          ],
        }),
      ),
    ).toEqual({
      payload: utf8('hello'),
      payloadType: 'application/x',
      signatures: [{ sig: Uint8Array.of(0, 1, 2), keyid: 'k' }, { sig: Uint8Array.of(0) }],
    })
  })

  it('reads both alphabets of base64, as the specification permits, but never mixed', () => {
    expect(parseEnvelope(envelope({ payload: '-_-_' })).payload).toEqual(parseEnvelope(envelope({ payload: '+/+/' })).payload)
    expect(refusal(() => parseEnvelope(envelope({ payload: '+/-_' })))).toBe('dsse_malformed')
  })

  it('reads an empty payload', () => {
    expect(parseEnvelope(envelope({ payload: '' })).payload).toHaveLength(0)
  })

  it.each([
    ['no payload', envelope({ payload: undefined })],
    ['no type', envelope({ payloadType: '' })],
    ['no signatures', envelope({ signatures: undefined })],
    ['an empty list of signatures', envelope({ signatures: [] })],
    ['33 signatures', envelope({ signatures: Array.from({ length: 33 }, () => ({ sig: 'AAEC' })) })],
    ['an empty signature', envelope({ signatures: [{ sig: '' }] })],
    ['base64 without padding', envelope({ payload: 'aGVsbG8' })],
    ['base64 with unused bits', envelope({ payload: 'aGVsbG9=' })],
    ['a keyid that is no string', envelope({ signatures: [{ sig: 'AAEC', keyid: 1 }] })],
    ['what is no JSON', 'x'],
    ['attack: two payloads', envelope().replace('"payload":', '"payload":"AAAA","payload":')],
  ])('refuses %s', (_, document) => {
    expect(refusal(() => parseEnvelope(document))).toBe('dsse_malformed')
  })
})

describe('serializeEnvelope', () => {
  it("writes cosign's field order and never a keyid", () => {
    const parsed = parseEnvelope(envelope({ signatures: [{ sig: 'AAEC', keyid: 'k' }] }))
    expect(fromUtf8(serializeEnvelope(parsed))).toBe('{"payload":"aGVsbG8=","payloadType":"application/x","signatures":[{"sig":"AAEC"}]}')
  })

  const folder = vectorsFolder()
  it.skipIf(folder === undefined)("writes cosign's own envelopes back byte for byte", () => {
    const room = join(folder ?? '', 'cosign-3.1.1/attest-legacy')
    const blobs = readdirSync(room).map((name) => readFileSync(join(room, name)))
    const envelopes = blobs.filter((blob) => blob.toString('latin1').startsWith('{"payload"'))
    for (const blob of envelopes) expect(fromUtf8(serializeEnvelope(parseEnvelope(blob)))).toBe(blob.toString())
    expect(envelopes.length).toBeGreaterThan(5)
  })
})
