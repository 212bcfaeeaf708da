/** The whole configuration document: what every process has, and the sections of the rooms. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { type ConfigurationSetting, readConfiguration } from '../base/config/document.ts'
import {
  choiceField,
  type Field,
  type FieldSchema,
  group,
  listField,
  maybe,
  member,
  type Member,
  parsedField,
  pathField,
  secretField,
  textField,
} from '../base/config/field.ts'
import { processMembers, type ProcessConfiguration } from '../base/config/process.ts'
import type { SecretReference } from '../base/config/reference.ts'
import type { JsonValue } from '@countersign/core/json/parse'
import type { IssuerConfiguration } from '../ca/issuers/model.ts'
import { readIssuers } from '../ca/issuers/read-configuration.ts'
import { noWitnesses, type WitnessConfiguration, witnessMembers } from './witness-configuration.ts'
import { codeOf } from '../base/data-folder/durable-file.ts'

/** A configuration as read; what the file does not say is the default. */
export type Configuration = ProcessConfiguration & {
  readonly log: {
    readonly admission: 'anyone' | 'known' | undefined
    readonly knownKeys: readonly string[]
    readonly witness: WitnessConfiguration
    readonly witnessFor: readonly string[]
  }
  readonly ca: { readonly issuers: IssuerConfiguration; readonly serviceAccount: string | undefined }
  readonly tsa: { readonly clockSources: readonly string[] }
  readonly identity: { readonly upstreams: readonly UpstreamChoice[] }
}

/** A provider at which people log in; its issuer stands in their certificates. */
export type UpstreamChoice = {
  readonly name: string
  readonly title: string | undefined
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: SecretReference | undefined
  readonly domains: readonly string[]
}

const noIssuers: IssuerConfiguration = { exact: new Map(), meta: [] }

/** The room reads its own part, which has the shape of another program; its places count from that part. */
const issuersField: Field<IssuerConfiguration> = {
  schema: { type: 'object' },
  read: (at) => {
    try {
      return readIssuers(at.value as JsonValue)
    } catch (cause) {
      if (!(cause instanceof CountersignError) || !cause.message.startsWith('$')) throw cause
      const { code, expected, found, hint, message } = cause
      const parts = {
        ...(expected === undefined ? {} : { expected }),
        ...(found === undefined ? {} : { found }),
        ...(hint === undefined ? {} : { hint }),
      }
      throw new CountersignError(code, `${at.path}${message.slice(1)}`, { ...parts, cause })
    }
  },
}

const clockSourceField: Field<string> = parsedField('time.example.org:123', (text) =>
  /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::[0-9]{1,5})?$/.test(text) ? text : undefined,
)

const upstreamField: Field<UpstreamChoice> = group<UpstreamChoice>(
  {
    name: member(
      'In addresses: a-z, 0-9 and dashes',
      parsedField('corp', (text) => (/^[a-z0-9][a-z0-9-]{0,30}$/.test(text) ? text : undefined)),
      '',
    ),
    title: member('On the login page; default the name', maybe(textField(80)), undefined),
    issuer: member('Its URL, as it calls itself', textField(1024), ''),
    clientId: member('How this installation is called there', textField(256), ''),
    clientSecret: member('Its secret there, where it has one', maybe(secretField), undefined, 'env:NAME'),
    domains: member(
      'Ends of the addresses that it may speak for, as @example.org; without any, all',
      listField(textField(256), 100),
      [],
      [],
    ),
  },
  ['name', 'issuer', 'clientId'],
)

const roomMembers: { readonly [Name in Exclude<keyof Configuration, keyof ProcessConfiguration>]: Member<Configuration[Name]> } = {
  log: member(
    'Transparency logs',
    group<Configuration['log']>({
      admission: member(
        'Who may write: anyone (the default when listening on loopback), or holders of our certificates and of known keys (the default elsewhere)',
        maybe(choiceField(['anyone', 'known'])),
        undefined,
      ),
      knownKeys: member('Files with public keys, PEM, whose signatures are admitted', listField(pathField, 1000), [], []),
      ...witnessMembers,
    }),
    { admission: undefined, knownKeys: [], ...noWitnesses },
  ),
  ca: member(
    'Certificate authority',
    group<Configuration['ca']>({
      issuers: member(
        'Who may vouch for signers, in the shape of Fulcio: oidc-issuers, meta-issuers, ci-issuer-metadata',
        issuersField,
        noIssuers,
      ),
      serviceAccount: member(
        'Folder of the service account with which the issuer https://kubernetes.default.svc is asked for its keys: usually /var/run/secrets/kubernetes.io/serviceaccount',
        maybe(pathField),
        undefined,
      ),
    }),
    { issuers: noIssuers, serviceAccount: undefined },
  ),
  tsa: member(
    'Timestamp authority',
    group<Configuration['tsa']>({
      clockSources: member(
        'NTP servers, as HOST or HOST:PORT, that must confirm the clock; without any only jumps are noticed',
        listField(clockSourceField, 20),
        [],
        [],
      ),
    }),
    { clockSources: [] },
  ),
  identity: member(
    'Identity provider',
    group<Configuration['identity']>({
      upstreams: member('OpenID providers at which people of this installation log in', listField(upstreamField, 20), [], []),
    }),
    { upstreams: [] },
  ),
}

/** The one table that the document is read, checked, shown and described from. */
export const configurationField: Field<Configuration> = group<Configuration>({ ...processMembers, ...roomMembers })

/** The published JSON Schema of the document. */
export function configurationSchema(): FieldSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Countersign server configuration',
    description:
      'What "countersign serve --config FILE" reads: YAML or JSON. Secrets are named (file:PATH, env:NAME, credential:NAME), never written.',
    ...configurationField.schema,
  }
}

/** Where a configuration comes from: what was typed wins over the document. */
export type ConfigurationRequest = {
  /** A document; default `config.yaml` in the data folder, where there is one. */
  readonly file: string | undefined
  readonly data: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingFolder: string
}

/** The configuration in force. */
export type LoadedConfiguration = {
  readonly configuration: Configuration
  /** The data folder in force. */
  readonly data: string
  /** The document, if there is one, and what it sets. */
  readonly file: string | undefined
  readonly settings: readonly ConfigurationSetting[]
}

/** Reads the configuration. Throws `config_malformed` with line and column, `file_not_found` for a document that was named and is not there. */
export async function loadConfiguration(request: ConfigurationRequest): Promise<LoadedConfiguration> {
  const { workingFolder } = request
  const typed = request.data === undefined ? undefined : resolve(workingFolder, request.data)
  const usual = defaultDataFolder(request.environment)
  const named = request.file === undefined ? undefined : resolve(workingFolder, request.file)
  const file = named ?? join(typed ?? usual, 'config.yaml')
  const text = await readDocument(file, named !== undefined)
  const { value, settings } = readConfiguration(text ?? '{}', request.file ?? file, dirname(file), configurationField)
  return { configuration: value, data: typed ?? value.data ?? usual, file: text === undefined ? undefined : file, settings }
}

/** `$XDG_DATA_HOME/countersign`, or what stands for it (XDG Base Directory Specification). */
export function defaultDataFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const data = environment['XDG_DATA_HOME'] ?? ''
  return join(data.startsWith('/') ? data : join(homedir(), '.local', 'share'), 'countersign')
}

async function readDocument(path: string, named: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw new CountersignError('io_failed', `${path} cannot be read (${codeOf(cause)})`, { cause })
    if (named)
      throw new CountersignError('file_not_found', `there is no file ${path}`, {
        cause,
        hint: 'Name the configuration with --config FILE.',
      })
    return undefined
  }
}
