import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromUtf8 } from '@countersign/core/bytes'
import { parseSigningConfig, selectServices, serializeSigningConfig, type SigningService } from '@countersign/core/trust/signing-config'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { refusal } from '../refusal.ts'

type Json = Record<string, unknown>
const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json'
const service = (change: Json = {}): Json => ({
  url: 'https://s.example',
  majorApiVersion: 1,
  validFor: { start: '2024-01-01T00:00:00Z' },
  operator: 'o',
  ...change,
})
const config = (change: Json = {}): Json => ({
  mediaType,
  caUrls: [service()],
  oidcUrls: [service()],
  rekorTlogUrls: [service({ majorApiVersion: 2 })],
  rekorTlogConfig: { selector: 'ANY' },
  tsaUrls: [service()],
  tsaConfig: { selector: 'EXACT', count: 1 },
  ...change,
})
const code = (value: Json): string | undefined => refusal(() => parseSigningConfig(JSON.stringify(value)))

describe('parseSigningConfig', () => {
  it('is undone by serializeSigningConfig, byte for byte', () => {
    const text = JSON.stringify(config())
    expect(fromUtf8(serializeSigningConfig(parseSigningConfig(text)))).toBe(text)
  })

  it.each([
    ['v0.1, whose fields are others', config({ mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.1+json' })],
    ['an unknown field', config({ caUrl: 'https://x' })],
    ['a service without URL', config({ caUrls: [service({ url: '' })] })],
    ['a URL of another scheme', config({ caUrls: [service({ url: 'file:///etc/passwd' })] })],
    ['a service without validity', config({ tsaUrls: [service({ validFor: undefined })] })],
    ['an unknown selector', config({ tsaConfig: { selector: 'SOME' } })],
    ['a selector of exactly none', config({ tsaConfig: { selector: 'EXACT' } })],
    ['a negative count', config({ tsaConfig: { selector: 'EXACT', count: -1 } })],
  ])('refuses %s', (_, value) => {
    expect(code(value)).toBe('signing_config_malformed')
  })
})

describe('selectServices', () => {
  const day = 86_400_000
  const of = (operator: string, majorApiVersion: number, start: number, end?: number): SigningService => ({
    url: `https://${operator}.example/${majorApiVersion}/${start}`,
    majorApiVersion,
    operator,
    validFor: end === undefined ? { start } : { start, end },
  })
  const choose = (services: SigningService[], selector?: Parameters<typeof selectServices>[0]['selector']) =>
    selectServices({ services, selector, supportedVersions: [1, 2], nowMs: 10 * day }).map((one) => one.url)

  it('takes the highest version that is supported and valid now, whatever the order', () => {
    expect(choose([of('a', 1, 0), of('a', 2, 0), of('a', 3, 0)])).toEqual(['https://a.example/2/0'])
    expect(choose([of('a', 2, 11 * day), of('a', 1, 0)])).toEqual(['https://a.example/1/0'])
  })

  it('takes of each operator the service that started last, both ends of its validity included', () => {
    expect(choose([of('a', 1, 0), of('a', 1, day), of('a', 1, 5 * day, 6 * day)])).toEqual([`https://a.example/1/${day}`])
    expect(choose([of('a', 1, 10 * day, 10 * day)])).toEqual([`https://a.example/1/${10 * day}`])
  })

  it('takes one, all, or exactly so many operators', () => {
    const services = [of('a', 1, 0), of('b', 1, 0), of('b', 1, 1), of('c', 1, 0)]
    expect(choose(services)).toHaveLength(1)
    expect(choose(services, { kind: 'all' })).toHaveLength(3)
    expect(choose(services, { kind: 'exact', count: 2 })).toEqual(['https://a.example/1/0', 'https://b.example/1/1'])
  })

  it('gives none when the config names none, and refuses when what it names does not suffice', () => {
    expect(choose([])).toEqual([])
    expect(refusal(() => choose([of('a', 9, 0)]))).toBe('service_not_supported')
    expect(refusal(() => choose([of('a', 1, 11 * day)]))).toBe('service_not_supported')
    expect(refusal(() => choose([of('a', 1, 0), of('a', 1, 1)], { kind: 'exact', count: 2 }))).toBe('service_not_supported')
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)('signing configs in the world', () => {
  it.each(['sc-empty', 'sc-tsa'])("cosign's %s is read and written back byte for byte", (name) => {
    const document = readFileSync(join(folder ?? '', `cosign-3.1.1/config/${name}.json`))
    expect(fromUtf8(serializeSigningConfig(parseSigningConfig(document)))).toBe(document.toString().trimEnd())
  })

  it('the public-good config is read', () => {
    const found = parseSigningConfig(readFileSync(join(folder ?? '', 'sigstore-public-good/signing_config.v0.2.json')))
    expect(found).toMatchObject({ caUrls: [{ operator: 'sigstore.dev' }], logUrls: [{ majorApiVersion: 1 }], logSelector: { kind: 'any' } })
  })
})
