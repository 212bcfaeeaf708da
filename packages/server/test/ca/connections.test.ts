import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Issuer } from '../../src/ca/issuers/model.ts'
import { kubernetesIssuer } from './kubernetes-issuer.ts'
import { documentFetcher, type DocumentRequest } from '../../src/ca/tokens/documents.ts'
import { issuerKeys } from '../../src/ca/tokens/issuer-keys.ts'
import { jwkOf, newProviderKey } from './identity-provider.ts'

const cluster = 'https://kubernetes.default.svc'
let folder: string
let apiServer: ReturnType<typeof createTlsServer>
let proxy: Server
let tunnels: string[] = []
let seen: { readonly url: string | undefined; readonly authorization: string | undefined }[] = []
let keysUrl = `${cluster}/openid/v1/jwks`

const listening = async (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))

/** An API server of a cluster, and a proxy through which every name leads to it. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-cluster-'))
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'ca.crt')]
  const names = 'subjectAltName=DNS:kubernetes.default.svc,DNS:keys.example.org,IP:10.0.0.1'
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=cluster', '-addext', names]
  execFileSync('openssl', ['req', '-x509', ...how, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  const keys = { keys: [jwkOf(newProviderKey('one'))] }
  apiServer = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, ({ url, headers }, answer) => {
    seen.push({ url, authorization: headers.authorization })
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify(url === '/openid/v1/jwks' ? keys : { issuer: cluster, jwks_uri: keysUrl }))
  })
  const port = await listening(apiServer)
  proxy = createServer().on('connect', ({ url }, socket, head) => {
    tunnels.push(url ?? '')
    const to = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      to.write(head)
      to.pipe(socket).pipe(to)
    })
    to.on('error', () => socket.destroy())
    socket.on('error', () => to.destroy())
  })
  await listening(proxy)
})
afterAll(async () => {
  for (const server of [apiServer, proxy]) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  tunnels = []
  seen = []
  keysUrl = `${cluster}/openid/v1/jwks`
  writeFileSync(join(folder, 'token'), 'first-token\n')
})

const proxyUrl = (): string => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
const issuer = (from: Issuer['from'] = 'configuration'): Issuer => kubernetesIssuer(cluster, from)

async function withFetcher<T>(
  options: Parameters<typeof documentFetcher>[0],
  work: (fetch: ReturnType<typeof documentFetcher>['fetch']) => Promise<T>,
): Promise<T> {
  const fetcher = documentFetcher(options)
  try {
    return await work(fetcher.fetch)
  } finally {
    await fetcher.close()
  }
}

describe('the issuer of the own cluster', () => {
  it('is asked with the service account of this pod, whose token is read anew each time', async () => {
    await withFetcher({ environment: { HTTPS_PROXY: proxyUrl() }, serviceAccount: folder }, async (fetch) => {
      let now = 0
      const keys = issuerKeys({ fetch, now: () => now })
      expect((await keys.current(issuer())).keys).toHaveLength(1)
      expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer first-token', 'Bearer first-token'])
      writeFileSync(join(folder, 'token'), 'second-token\n')
      now += 24 * 60 * 60_000
      await keys.current(issuer())
      expect(seen.at(-1)?.authorization).toBe('Bearer second-token')
    })
  })

  it('may name its API server by address', async () => {
    keysUrl = 'https://10.0.0.1:6443/openid/v1/jwks'
    await withFetcher({ environment: { HTTPS_PROXY: proxyUrl() }, serviceAccount: folder }, async (fetch) => {
      await issuerKeys({ fetch, now: () => 0 }).current(issuer())
      expect(tunnels).toEqual(['kubernetes.default.svc:443', '10.0.0.1:6443'])
    })
  })

  it('learns no token of this pod where the operator names other authorities for it', async () => {
    const caCertificates = readFileSync(join(folder, 'ca.crt'), 'utf8')
    await withFetcher({ environment: { HTTPS_PROXY: proxyUrl() }, serviceAccount: folder }, async (fetch) => {
      await issuerKeys({ fetch, now: () => 0 }).current({ ...issuer(), caCertificates })
    })
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined])
  })

  it('is not trusted, and learns nothing, without a service account', async () => {
    await withFetcher({ environment: { HTTPS_PROXY: proxyUrl() } }, async (fetch) => {
      await expect(issuerKeys({ fetch, now: () => 0 }).current(issuer())).rejects.toMatchObject({ code: 'identity_issuer_unavailable' })
    })
    await withFetcher({ environment: { HTTPS_PROXY: proxyUrl() }, serviceAccount: join(folder, 'absent') }, async (fetch) => {
      await expect(issuerKeys({ fetch, now: () => 0 }).current(issuer())).rejects.toMatchObject({ message: /no service account/ })
    })
    expect(seen).toEqual([])
  })

  it('attack: a pattern that a token matches, or another issuer, never gets the token of this pod', async () => {
    const asked: DocumentRequest[] = []
    const keys = issuerKeys({
      fetch: async (wanted) => {
        asked.push(wanted)
        const url = new URL(wanted.url).origin
        return { value: { issuer: url, jwks_uri: `${url}/k`, keys: [] }, maxAgeSeconds: undefined }
      },
      now: () => 0,
    })
    for (const other of [issuer('pattern'), { ...issuer(), url: 'https://id.example.org' }])
      await keys.current(other).catch(() => undefined)
    expect(asked.length).toBeGreaterThan(1)
    const told = asked.filter(({ ownCluster }) => ownCluster === true).map(({ url }) => new URL(url).hostname)
    expect(told).toEqual([])
  })
})

describe('a proxy', () => {
  const wanted: DocumentRequest = { url: 'https://keys.example.org/x', addresses: 'public' }

  it('of the environment is used for issuers, also where addresses must be public, and resolves their names', async () => {
    const caCertificates = readFileSync(join(folder, 'ca.crt'), 'utf8')
    for (const name of ['HTTPS_PROXY', 'https_proxy'])
      await withFetcher({ environment: { [name]: proxyUrl() } }, async (fetch) => fetch({ ...wanted, caCertificates }))
    expect(tunnels).toEqual(['keys.example.org:443', 'keys.example.org:443'])
  })

  it('is not asked for what NO_PROXY names, nor for this machine', async () => {
    const environment = { HTTPS_PROXY: proxyUrl(), NO_PROXY: '.example.org' }
    await withFetcher({ environment }, async (fetch) => {
      await expect(fetch(wanted)).rejects.toMatchObject({ code: 'identity_issuer_unavailable' })
      for (const url of ['https://localhost:1/x', 'https://127.0.0.1:1/x', 'https://[::1]:1/x'])
        await expect(fetch({ url, addresses: 'any' })).rejects.toMatchObject({ code: 'identity_issuer_unavailable' })
    })
    expect(tunnels).toEqual([])
  })

  it('attack: a URL of a private address from outside does not reach it through the proxy', async () => {
    await withFetcher({ environment: { HTTPS_PROXY: proxyUrl() } }, async (fetch) => {
      for (const url of ['https://169.254.169.254/latest', 'https://10.0.0.1/', 'https://[fd00::1]/'])
        await expect(fetch({ url, addresses: 'public' })).rejects.toMatchObject({ message: /not a public one/ })
    })
    expect(tunnels).toEqual([])
  })
})
