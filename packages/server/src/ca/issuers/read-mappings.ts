/** The part of the configuration that says how claims of build systems become certificates: `ci-issuer-metadata`, and what is ready. */
import type { FulcioArc } from '@countersign/core/x509/build-fulcio'
import { entries, isAbsent, members, nonEmptyText, refuse, text, textMap, type Place } from '@countersign/core/json/shape'
import { CountersignError } from '@countersign/core/failure'
import { extensionNames } from './extension-names.ts'
import type { CiMapping, IssuerKind } from './model.ts'
import { readyMappings, type WrittenMapping } from './ready-mappings.ts'
import { compileTemplate, type Template } from './template.ts'

/** Mappings by the name of their provider: those of the configuration, then the ready ones. */
export type MappingTable = (provider: string) => CiMapping | undefined

const maxProviders = 100

/** Reads `ci-issuer-metadata`; absent is none. Throws `config_malformed`. */
export function readMappings(at: Place): MappingTable {
  const own = new Map<string, CiMapping>()
  if (!isAbsent(at)) for (const [provider, place] of entries(at, maxProviders)) own.set(provider, readMapping(place))
  return (provider) => {
    const written = readyMappings.get(provider)
    return own.get(provider) ?? (written && compileMapping(written))
  }
}

/** The kind of an issuer that a mapping belongs to, with values of its own before those of the mapping. */
export function readCiKind(at: Place, provider: string, values: Place, mappings: MappingTable): IssuerKind {
  const mapping = mappings(provider)
  if (mapping === undefined) {
    return refuse(at, `nothing says how the claims of ${JSON.stringify(provider.slice(0, 80))} become a certificate`, {
      expected: `a provider of ci-issuer-metadata, or one of ${[...readyMappings.keys()].join(', ')}`,
    })
  }
  const own = isAbsent(values) ? [] : Object.entries(textMap(values, 32))
  return { type: 'ci-provider', provider, mapping: { ...mapping, defaults: new Map([...mapping.defaults, ...own]) } }
}

function readMapping(at: Place): CiMapping {
  const field = members(at, ['default-template-values', 'extension-templates', 'subject-alternative-name-template'])
  const values = field('default-template-values')
  const extensions = new Map<FulcioArc, Template>()
  if (!isAbsent(field('extension-templates'))) {
    for (const [name, place] of entries(field('extension-templates'), 64)) {
      const arc = extensionNames.get(name)
      if (arc === undefined) return refuse(place, 'no extension of this name')
      if (text(place).trim() !== '') extensions.set(arc, compileAt(place))
    }
  }
  nonEmptyText(field('subject-alternative-name-template'))
  return {
    defaults: new Map(isAbsent(values) ? [] : Object.entries(textMap(values, 64))),
    subjectAlternativeName: compileAt(field('subject-alternative-name-template')),
    extensions,
  }
}

function compileAt(at: Place): Template {
  try {
    return compileTemplate(text(at))
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return refuse(at, cause.message, { cause })
  }
}

function compileMapping({ defaults, subjectAlternativeName, extensions }: WrittenMapping): CiMapping {
  return {
    defaults: new Map(Object.entries(defaults)),
    subjectAlternativeName: compileTemplate(subjectAlternativeName),
    extensions: new Map(
      Object.entries(extensions).map(([name, source]) => [extensionNames.get(name) as FulcioArc, compileTemplate(source)]),
    ),
  }
}
