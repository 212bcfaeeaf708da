/** Sigstore signing config v0.2 (protobuf-specs, sigstore_trustroot.proto, `SigningConfig`): the services that a signer may use. */
import { utf8 } from '../bytes.ts'
import { CountersignError, unreachable } from '../failure.ts'
import { parseJsonAs } from '../json/parse.ts'
import {
  count,
  documentPlace,
  isAbsent,
  members,
  nonEmptyText,
  oneOf,
  optional,
  optionalItems,
  refuse,
  text,
  type Place,
} from '../json/shape.ts'
import { readTimeRange, timeRangeJson } from './time-range.ts'
import type { TimeRange } from './model.ts'

/** One service. `url` is a base URL, except of timestamp authorities, where it is the whole endpoint. */
export type SigningService = {
  readonly url: string
  readonly majorApiVersion: number
  readonly validFor: TimeRange
  readonly operator: string
}

/** How many of several services a signature needs: any one, all, or exactly so many, each of another operator. */
export type ServiceSelector = { readonly kind: 'any' } | { readonly kind: 'all' } | { readonly kind: 'exact'; readonly count: number }

/** A signing config, parsed. No URL of a kind means: that service is not used. */
export type SigningConfig = {
  readonly caUrls: readonly SigningService[]
  readonly oidcUrls: readonly SigningService[]
  readonly logUrls: readonly SigningService[]
  readonly logSelector?: ServiceSelector
  readonly timestampUrls: readonly SigningService[]
  readonly timestampSelector?: ServiceSelector
}

const code = 'signing_config_malformed'
const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json'
const maxServices = 1_000
const selectorNames = ['ANY', 'ALL', 'EXACT'] as const

/** Reads a signing config. Throws `signing_config_malformed`; v0.1, which has other fields, is refused. */
export function parseSigningConfig(document: Uint8Array | string): SigningConfig {
  const { value } = parseJsonAs(code, 'the signing config', document, { maxBytes: 1024 * 1024 })
  const names = ['mediaType', 'caUrls', 'oidcUrls', 'rekorTlogUrls', 'rekorTlogConfig', 'tsaUrls', 'tsaConfig']
  const field = members(documentPlace(value, code), names)
  oneOf(field('mediaType'), [mediaType])
  const services = (name: string): readonly SigningService[] => optionalItems(field(name), maxServices).map(readService)
  const logSelector = optional(field('rekorTlogConfig'), readSelector)
  const timestampSelector = optional(field('tsaConfig'), readSelector)
  return {
    caUrls: services('caUrls'),
    oidcUrls: services('oidcUrls'),
    logUrls: services('rekorTlogUrls'),
    ...(logSelector === undefined ? {} : { logSelector }),
    timestampUrls: services('tsaUrls'),
    ...(timestampSelector === undefined ? {} : { timestampSelector }),
  }
}

/** The signing config in one line, in cosign's field order; empty lists are left out. */
export function serializeSigningConfig(config: SigningConfig): Uint8Array {
  return utf8(
    JSON.stringify({
      mediaType,
      ...listJson('caUrls', config.caUrls),
      ...listJson('oidcUrls', config.oidcUrls),
      ...listJson('rekorTlogUrls', config.logUrls),
      rekorTlogConfig: selectorJson(config.logSelector),
      ...listJson('tsaUrls', config.timestampUrls),
      tsaConfig: selectorJson(config.timestampSelector),
    }),
  )
}

/** What {@link selectServices} chooses from. */
export type ServiceChoice = {
  readonly services: readonly SigningService[]
  /** Absent: one service, as for certificate authorities and identity providers. */
  readonly selector?: ServiceSelector | undefined
  readonly supportedVersions: readonly number[]
  /** Unix milliseconds. */
  readonly nowMs: number
}

/**
 * The services to use, in the order of the file: of those valid now with a supported version, the highest version that any of them has; of each
 * operator the one that started last; then as the selector says. `any` and no selector give the first, where the specification would allow any.
 * An empty list means that the config names none. Throws `service_not_supported` when it names some and they cannot satisfy the selector:
 * to go on without would weaken the signature silently.
 */
export function selectServices(choice: ServiceChoice): readonly SigningService[] {
  if (choice.services.length === 0) return []
  const { nowMs, supportedVersions } = choice
  const usable = choice.services.filter(
    ({ validFor, majorApiVersion }) =>
      validFor.start <= nowMs && (validFor.end === undefined || nowMs <= validFor.end) && supportedVersions.includes(majorApiVersion),
  )
  const version = Math.max(...usable.map((service) => service.majorApiVersion))
  const newest = new Map<string, SigningService>()
  for (const service of usable.filter((candidate) => candidate.majorApiVersion === version)) {
    const other = newest.get(service.operator)
    if (other === undefined || other.validFor.start < service.validFor.start) newest.set(service.operator, service)
  }
  return select([...newest.values()], choice.selector ?? { kind: 'any' })
}

function select(services: readonly SigningService[], selector: ServiceSelector): readonly SigningService[] {
  if (services.length === 0) throw unusable('none of them is valid now with a version that is supported')
  switch (selector.kind) {
    case 'any':
      return services.slice(0, 1)
    case 'all':
      return services
    case 'exact':
      if (services.length < selector.count) throw unusable(`${selector.count} operators are needed, ${services.length} can be used`)
      return services.slice(0, selector.count)
    default:
      return unreachable(selector)
  }
}

function readService(at: Place): SigningService {
  const field = members(at, ['url', 'majorApiVersion', 'validFor', 'operator'])
  const url = nonEmptyText(field('url'))
  if (!/^https?:\/\/[^\s/?#]/.test(url)) refuse(field('url'), 'not an http or https URL', { found: url.slice(0, 120) })
  return {
    url,
    majorApiVersion: optional(field('majorApiVersion'), count) ?? 0,
    validFor: readTimeRange(field('validFor')),
    operator: optional(field('operator'), text) ?? '',
  }
}

function readSelector(at: Place): ServiceSelector | undefined {
  const field = members(at, ['selector', 'count'])
  // cosign writes an empty object when there is no service to select from.
  if (isAbsent(field('selector'))) return undefined
  switch (oneOf(field('selector'), selectorNames)) {
    case 'ANY':
      return { kind: 'any' }
    case 'ALL':
      return { kind: 'all' }
    case 'EXACT': {
      const wanted = count(field('count'))
      return wanted === 0 ? refuse(field('count'), 'exactly none is no selection') : { kind: 'exact', count: wanted }
    }
    default:
      return refuse(at, 'not a selector')
  }
}

function listJson(name: string, services: readonly SigningService[]): object {
  if (services.length === 0) return {}
  return {
    [name]: services.map(({ url, majorApiVersion, validFor, operator }) => ({
      url,
      majorApiVersion,
      validFor: timeRangeJson(validFor),
      operator,
    })),
  }
}

function selectorJson(selector: ServiceSelector | undefined): object {
  if (selector === undefined) return {}
  const name = selector.kind.toUpperCase()
  return selector.kind === 'exact' ? { selector: name, count: selector.count } : { selector: name }
}

function unusable(detail: string): CountersignError {
  return new CountersignError('service_not_supported', `the signing config names services, but ${detail}`)
}
