/** `/kit`: the page, and the files that a client begins with. What they say comes from the repository, as it is in force. */
import { CountersignError } from '@countersign/core/failure'
import { utf8 } from '@countersign/core/bytes'
import type { Expiry } from '@countersign/core/expiry/expiry'
import { gitsignVariables, kitFiles, shellQuoted } from '@countersign/core/trust/kit'
import { parseSigningConfig, type SigningConfig, type SigningService } from '@countersign/core/trust/signing-config'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { FastifyReply } from 'fastify'
import type { Clock } from '../../base/clock.ts'
import { expiryWarnings } from '../../base/expiry.ts'
import type { Database } from '../../base/database/database.ts'
import type { Service } from '../../base/http/service.ts'
import { hexDigest, readState } from '../repository/state.ts'
import type { Trust } from '../trust.ts'
import { kitPage, kitStyle } from './page.ts'

/** What the service is made of. */
export type KitServiceOptions = {
  readonly database: Database
  readonly trust: Pick<Trust, 'target'>
  readonly expiries: () => Promise<readonly Expiry[]>
  readonly clock: Clock
  /** Public URL of the installation, without `/` at the end. */
  readonly publicUrl: string
}

const described: Readonly<Record<string, string>> = {
  'root.json': 'the root of all trust: check its SHA-256',
  'trusted_root.json': 'all keys and certificates, for --trusted-root',
  'signing_config.json': 'all services, for --signing-config',
  'fulcio.pem': 'certificates of the certificate authority',
  'rekor.pub': 'key of the transparency log, Rekor v1',
  'rekor2.pub': 'key of the transparency log, Rekor v2',
  'ctfe.pub': 'key of the certificate transparency log',
  'tsa.pem': 'certificates of the timestamp authority',
  'env.sh': 'environment for gitsign, to be read in the folder of these files',
}

/** The kit in force: its files by name, and what the page says of them. */
type Kit = {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly config: SigningConfig
  readonly rootVersion: number
  readonly rootExpiresMs: number
}

/** Serves the page and the files. */
export function kitService(options: KitServiceOptions): Service {
  const { expiries, clock, publicUrl } = options
  return {
    name: 'kit',
    prefix: '/kit',
    front: true,
    routes: (app) => {
      app.addHook('onSend', async (_request, reply) => {
        reply.header(
          'content-security-policy',
          "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        )
        reply.header('cache-control', 'no-cache')
      })
      const page = async (_request: unknown, reply: FastifyReply): Promise<FastifyReply> => {
        const kit = await readKit(options)
        const warnings = expiryWarnings(await expiries(), clock())
        return reply.type('text/html; charset=utf-8').send(pageOf(kit, publicUrl, warnings))
      }
      app.get('/', page)
      app.get('/style.css', (_request, reply) => reply.type('text/css; charset=utf-8').send(kitStyle))
      app.get<{ Params: { name: string } }>('/:name', async (request, reply) => {
        const { name } = request.params
        const bytes = (await readKit(options)).files.get(name)
        if (bytes === undefined) return reply.code(404).send({ code: 404, message: 'there is no such file' })
        return reply.type(name.endsWith('.json') ? 'application/json' : 'text/plain; charset=utf-8').send(Buffer.from(bytes))
      })
    },
  }
}

async function readKit({ database, trust }: KitServiceOptions): Promise<Kit> {
  const state = await readState(database)
  const [trustedRoot, signingConfig] = [await trust.target('trusted_root.json'), await trust.target('signing_config.v0.2.json')]
  if (state === undefined || trustedRoot === undefined || signingConfig === undefined) {
    throw new CountersignError('trust_missing', 'there is no TUF repository yet')
  }
  const config = parseSigningConfig(signingConfig)
  const { bytes, metadata } = state.published.root
  const files = new Map<string, Uint8Array>([
    ['root.json', bytes],
    ['trusted_root.json', trustedRoot],
    ['signing_config.json', signingConfig],
    ...kitFiles({ root: parseTrustedRoot(trustedRoot), config }),
    ['env.sh', utf8(portableEnvironment(config))],
  ])
  return { files, config, rootVersion: metadata.version, rootExpiresMs: metadata.expiresMs }
}

const folderVariable = '${countersign_kit}'

/** The files lie where the script is read (or where `COUNTERSIGN_KIT` says): a server does not know. Safe under `set -u`. */
function portableEnvironment(config: SigningConfig): string {
  const variables = gitsignVariables(config, (name) => `${folderVariable}/${name}`)
  const lines = [...variables].map(
    ([name, value]) => `export ${name}=${value.startsWith(folderVariable) ? `"${value}"` : shellQuoted(value)}`,
  )
  return [
    '# gitsign signs and verifies with this installation. In the folder of the downloaded files: . ./env.sh',
    'countersign_kit=${COUNTERSIGN_KIT:-$PWD}',
    'case $countersign_kit in /*) ;; *) countersign_kit=$PWD/$countersign_kit ;; esac',
    ...lines,
    'unset countersign_kit',
    '',
  ].join('\n')
}

function pageOf({ files, config, rootVersion, rootExpiresMs }: Kit, url: string, warnings: readonly string[]): string {
  const list = (name: string, services: readonly SigningService[]) =>
    services.filter(({ validFor }) => validFor.end === undefined).map((service) => ({ name, url: service.url }))
  const ofVersion = (version: number): readonly SigningService[] =>
    config.logUrls.filter(({ majorApiVersion }) => majorApiVersion === version)
  return kitPage({
    url,
    rootSha256: hexDigest(files.get('root.json') ?? new Uint8Array()),
    rootVersion,
    rootExpiresMs,
    services: [
      ...list('Certificate authority', config.caUrls),
      ...list('Transparency log, Rekor v2', ofVersion(2)),
      ...list('Transparency log, Rekor v1', ofVersion(1)),
      ...list('Timestamps', config.timestampUrls),
      ...list('Identity', config.oidcUrls),
      { name: 'Trust (TUF)', url: `${url}/tuf` },
    ],
    files: [...files.keys()].map((name) => ({ name, what: described[name] ?? '' })),
    warnings,
  })
}
