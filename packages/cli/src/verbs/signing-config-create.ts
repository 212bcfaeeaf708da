/** `countersign signing-config create`. */
import { CountersignError } from '@countersign/core/failure'
import { serializeSigningConfig, type ServiceSelector, type SigningService } from '@countersign/core/trust/signing-config'
import type { Invocation } from '../command/invocation.ts'
import type { FlagValues } from '../command/flag-values.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { serviceSpec, specTimes } from '../trust/service-spec.ts'
import { writeDocument } from './write-document.ts'

/** Builds the signing config that the flags describe. */
export async function createSigningConfig(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const services = (flag: string): readonly SigningService[] => flags.list(flag).map((text) => readService(flag, text))
  const logSelector = selector(flags, 'rekor')
  const timestampSelector = selector(flags, 'tsa')
  const config = {
    caUrls: services('fulcio'),
    oidcUrls: services('oidc-provider'),
    logUrls: services('rekor'),
    timestampUrls: services('tsa'),
    ...(logSelector === undefined ? {} : { logSelector }),
    ...(timestampSelector === undefined ? {} : { timestampSelector }),
  }
  return writeDocument(invocation, 'signing config', serializeSigningConfig(config))
}

function readService(flag: string, text: string): SigningService {
  const spec = serviceSpec(flag, text, ['url', 'api-version', 'start-time', 'operator'], ['end-time'])
  const version = spec.get('api-version')
  if (!/^[1-9][0-9]{0,3}$/.test(version)) {
    throw new CountersignError('usage', `--${flag} has a malformed api-version`, {
      expected: 'a whole number',
      found: JSON.stringify(version.slice(0, 40)),
    })
  }
  return { url: spec.get('url'), majorApiVersion: Number(version), validFor: specTimes(flag, spec), operator: spec.get('operator') }
}

/** `ANY`, `ALL` or `EXACT:N`; demanded where there are services to select from. */
function selector(flags: FlagValues, service: string): ServiceSelector | undefined {
  const text = flags.text(`${service}-config`)
  if (text === undefined) {
    if (flags.list(service).length === 0) return undefined
    throw new CountersignError('usage', `--${service}-config is missing`, {
      hint: `Say which of the --${service} to use: --${service}-config=ANY.`,
    })
  }
  if (text === 'ANY') return { kind: 'any' }
  if (text === 'ALL') return { kind: 'all' }
  const count = /^EXACT:([1-9][0-9]{0,3})$/.exec(text)?.[1]
  if (count !== undefined) return { kind: 'exact', count: Number(count) }
  throw new CountersignError('usage', `--${service}-config has a malformed value`, {
    expected: 'ANY, ALL or EXACT:N',
    found: JSON.stringify(text.slice(0, 40)),
  })
}
