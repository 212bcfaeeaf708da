/** The part of the configuration that every process has; the rooms bring their own sections, which `server/main` puts beside these. */
import { defaultHttpLimits } from '../http/app.ts'
import { type ListenAddress, parseListenAddress, parsePublicUrl } from '../http/address.ts'
import type { LogLevel } from '../http/log.ts'
import {
  type Field,
  booleanField,
  choiceField,
  durationField,
  group,
  integerField,
  listField,
  maybe,
  member,
  type Member,
  parsedField,
  pathField,
  secretField,
  textField,
  variant,
} from './field.ts'
import { passphraseField, type PassphraseSource } from './passphrase.ts'
import type { SecretReference } from './reference.ts'

/** What a process may do; a service belongs to one role. */
export const roles = ['ca', 'log', 'tsa', 'trust', 'identity'] as const

/** One of {@link roles}. */
export type Role = (typeof roles)[number]

/** Where state is. */
export type DatabaseChoice =
  | { readonly kind: 'sqlite' }
  | {
      readonly kind: 'postgres'
      readonly url: SecretReference
      readonly password: SecretReference | undefined
      readonly ca: string | undefined
      readonly plaintext_UNSAFE: string | undefined
      readonly connections: number
    }

/** Where tiles and other blobs are. */
export type BlobsChoice =
  | { readonly kind: 'files' }
  | {
      readonly kind: 's3'
      readonly endpoint: string
      readonly region: string
      readonly prefix: string
      readonly accessKeyId: SecretReference
      readonly secretAccessKey: SecretReference
    }

/** The certificate of the port. */
export type TlsChoice = { readonly certificate: string; readonly key: string; readonly lookEveryMs: number }

/** Roles whose keys may be on a token: those on P-256 and P-384. */
export const tokenRoles = [
  'ca-root',
  'ca-intermediate',
  'ct',
  'rekor1',
  'tsa-root',
  'tsa',
  'tuf-root',
  'tuf-targets',
  'tuf-snapshot',
  'tuf-timestamp',
] as const

/** A PKCS #11 token, and the roles whose keys are made there. */
export type TokenChoice = {
  readonly module: string
  readonly token: string
  readonly pin: SecretReference
  readonly sessions: number
  readonly roles: readonly (typeof tokenRoles)[number][]
}

/** What every process has. */
export type ProcessConfiguration = {
  readonly data: string | undefined
  readonly listen: ListenAddress | undefined
  readonly publicUrl: string | undefined
  readonly firstStart: boolean
  readonly roles: readonly Role[]
  readonly tls: TlsChoice | undefined
  readonly trustedProxies: readonly string[]
  readonly hosts: readonly string[]
  readonly database: DatabaseChoice
  readonly blobs: BlobsChoice
  readonly keys: { readonly passphrase: PassphraseSource; readonly pkcs11?: TokenChoice | undefined }
  readonly limits: {
    readonly bodyBytes: number
    readonly headersMs: number
    readonly requestMs: number
    readonly idleMs: number
    readonly connections: number
    readonly receivedBytes: number
    readonly answeredBytes: number
    readonly drainMs: number
  }
  readonly logging: { readonly level: LogLevel; readonly format: 'json' | 'text' | 'auto' }
}

const minute = 60_000
const mebibyte = 1024 * 1024
const limitDefaults = { ...defaultHttpLimits, drainMs: 30_000 }

const tls: Field<TlsChoice> = renamed(
  group<{ readonly certificate: string; readonly key: string; readonly reload: number }>(
    {
      certificate: member('File with the certificate and its chain, PEM', pathField, ''),
      key: member('File with its private key, PEM, without password', pathField, ''),
      reload: member('How often to look whether the files changed', durationField(100, 60 * minute), 10_000, '10s'),
    },
    ['certificate', 'key'],
  ),
  ({ certificate, key, reload }) => ({ certificate, key, lookEveryMs: reload }),
)

const s3: Field<Omit<Extract<BlobsChoice, { kind: 's3' }>, 'kind'>> = group(
  {
    endpoint: member('URL with the bucket as its path, or in its host name: https://s3.eu-central-1.amazonaws.com/BUCKET', textField(), ''),
    region: member('Region', textField(100), 'auto'),
    prefix: member('What the names of our objects begin with', textField(200), ''),
    accessKeyId: member('Access key', secretField, { kind: 'env', name: '' }, 'env:NAME'),
    secretAccessKey: member('Secret of the access key', secretField, { kind: 'env', name: '' }, 'env:NAME'),
  },
  ['endpoint', 'accessKeyId', 'secretAccessKey'],
)

const tokenField = group<TokenChoice>(
  {
    module: member('Path of the PKCS #11 module', pathField, ''),
    token: member('Label of the token', textField(32), ''),
    pin: member<SecretReference>('PIN of the user: file:PATH, env:NAME or credential:NAME', secretField, { kind: 'env', name: '' }),
    sessions: member('Signatures at a time', integerField(1, 64), 4),
    roles: member<TokenChoice['roles']>(
      'Roles whose keys are made on the token',
      listField(choiceField(tokenRoles), 16),
      ['ca-intermediate', 'ct', 'rekor1', 'tsa'],
      ['ca-intermediate', 'ct', 'rekor1', 'tsa'],
    ),
  },
  ['module', 'token', 'pin'],
)

const limits: Field<ProcessConfiguration['limits']> = renamed(
  group<Record<'bodyBytes' | 'headers' | 'request' | 'idle' | 'connections' | 'receivedBytes' | 'answeredBytes' | 'drain', number>>({
    bodyBytes: member('Largest body of a request, bytes', integerField(1024, 64 * 1024 * 1024), limitDefaults.bodyBytes),
    headers: member('Time for the headers of a request', durationField(100, 10 * minute), limitDefaults.headersMs, '15s'),
    request: member('Time for a whole request to arrive', durationField(100, 60 * minute), limitDefaults.requestMs, '1m'),
    idle: member('Time after which an idle connection is closed', durationField(100, 60 * minute), limitDefaults.idleMs, '65s'),
    connections: member('Most connections at a time', integerField(1, 100_000), limitDefaults.connections),
    receivedBytes: member(
      'Most memory for great bodies that arrive together, bytes; whoever has sent for the longest is cut off',
      integerField(64 * mebibyte, 65_536 * mebibyte),
      limitDefaults.receivedBytes,
    ),
    answeredBytes: member(
      'Most memory for great answers that are on their way together, bytes; others are told to come back',
      integerField(64 * mebibyte, 65_536 * mebibyte),
      limitDefaults.answeredBytes,
    ),
    drain: member('Time for running requests to end when the process stops', durationField(0, 60 * minute), limitDefaults.drainMs, '30s'),
  }),
  ({ headers, request, idle, drain, ...counts }) => ({
    ...counts,
    headersMs: headers,
    requestMs: request,
    idleMs: idle,
    drainMs: drain,
  }),
)

/** The members that every process has. */
export const processMembers: { readonly [Name in keyof ProcessConfiguration]: Member<ProcessConfiguration[Name]> } = {
  data: member('Folder of the installation; default $XDG_DATA_HOME/countersign', maybe(pathField), undefined),
  listen: member(
    'Address to listen on; default that of the first start, or 127.0.0.1:8460',
    maybe(parsedField('127.0.0.1:8460', parseListenAddress)),
    undefined,
  ),
  publicUrl: member(
    'URL under which clients reach the services; stored at the first start and never changed',
    maybe(parsedField('https://sign.example.org', parsePublicUrl)),
    undefined,
  ),
  firstStart: member('Whether an absent or empty data folder becomes a new installation', booleanField, true),
  roles: member('Which services this process runs', listField(choiceField(roles), roles.length), roles, [...roles]),
  tls: member('Certificate of the port; without it only loopback is served', maybe(tls), undefined),
  trustedProxies: member('Addresses of proxies whose X-Forwarded-For is believed', listField(textField(100), 100), [], []),
  hosts: member(
    'Further names under which clients reach a listener on loopback, as those that a proxy puts into the header Host; others are refused',
    listField(textField(253), 100),
    [],
    [],
  ),
  database: member<DatabaseChoice>(
    'Where state is',
    variant<DatabaseChoice>({
      sqlite: group({}),
      postgres: group(
        {
          url: member(
            'URL of the database: postgres://USER@HOST:5432/DATABASE, with or without the password',
            secretField,
            { kind: 'env', name: '' },
            'env:NAME',
          ),
          password: member('Password, where the URL has none', maybe(secretField), undefined),
          ca: member('File with the authorities of the database server, PEM; default those of the system', maybe(pathField), undefined),
          plaintext_UNSAFE: member('Connect off loopback without TLS; the reason why', maybe(textField(200)), undefined),
          connections: member('Most connections of this process', integerField(2, 200), 10),
        },
        ['url'],
      ),
    }),
    { kind: 'sqlite' },
    { kind: 'sqlite' },
  ),
  blobs: member<BlobsChoice>(
    'Where tiles and other files are',
    variant<BlobsChoice>({ files: group({}), s3 }),
    { kind: 'files' },
    { kind: 'files' },
  ),
  keys: member(
    'Keys of the services',
    group({
      passphrase: member<PassphraseSource>(
        'What opens the key files; default a file that the first start makes in the data folder',
        passphraseField(secretField),
        { kind: 'generated' },
      ),
      pkcs11: member<TokenChoice | undefined>(
        'A token for keys of some roles; what is in files already goes on until it is rotated',
        tokenField,
        undefined,
      ),
    }),
    { passphrase: { kind: 'generated' }, pkcs11: undefined },
  ),
  limits: member('Bounds on what callers can take', limits, limitDefaults),
  logging: member(
    'What is logged on stderr',
    group({
      level: member<LogLevel>('From which level on', choiceField(['debug', 'info', 'warn', 'error']), 'info'),
      format: member<'json' | 'text' | 'auto'>(
        'JSON, text for people, or text where stderr is a terminal',
        choiceField(['json', 'text', 'auto']),
        'auto',
      ),
    }),
    { level: 'info', format: 'auto' },
  ),
}

function renamed<From, To>(field: Field<From>, make: (read: From) => To): Field<To> {
  return { schema: field.schema, read: (at, context) => make(field.read(at, context)) }
}
