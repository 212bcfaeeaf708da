import { describe, expect, it } from 'vitest'
import { readConfiguration } from '@countersign/server/base/config/document'
import { type Configuration, configurationField } from '@countersign/server/main/configuration'

const read = (text: string): Configuration => readConfiguration(text, 'server.yaml', '/etc/countersign', configurationField).value

describe('a configuration', () => {
  it('that says nothing holds the defaults', () => {
    for (const text of ['{}', '', '# only a comment\n']) {
      expect(read(text)).toMatchObject({
        firstStart: true,
        roles: ['ca', 'log', 'tsa', 'trust', 'identity'],
        database: { kind: 'sqlite' },
        blobs: { kind: 'files' },
        keys: { passphrase: { kind: 'generated' } },
        limits: { bodyBytes: 4 * 1024 * 1024, drainMs: 30_000 },
        logging: { level: 'info', format: 'auto' },
      })
    }
  })

  it('may say everything, with paths that count from its own folder', () => {
    const text = `
data: /var/lib/countersign
listen: '[::1]:8443'
publicUrl: https://sign.example.org/
firstStart: false
roles: [log, tsa]
tls: { certificate: tls.pem, key: /run/tls.key, reload: 1m }
trustedProxies: [127.0.0.1]
hosts: [sign.internal]
database: { kind: postgres, url: env:DATABASE_URL, connections: 20 }
blobs: { kind: s3, endpoint: https://s3.example.org/logs, accessKeyId: env:ID, secretAccessKey: file:s3.secret }
keys: { passphrase: credential:passphrase }
limits: { bodyBytes: 65536, drain: 1m, request: 500ms }
logging: { level: warn, format: json }
log:
  admission: known
  knownKeys: [ci.pub]
  witness: { policy: witnesses.policy, whenFewer: closed, deadline: 1s }
  witnessFor: [other.example+0a0b0c0d+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh]
tsa: { clockSources: [ntp.example.org] }
ca: { issuers: { oidc-issuers: { 'https://id.example.org': { issuer-url: 'https://id.example.org', client-id: sigstore, type: email } } } }
`
    const { ca, identity, ...others } = read(text)
    expect(identity.upstreams).toEqual([])
    expect([...ca.issuers.exact.keys()]).toEqual(['https://id.example.org'])
    expect(others).toEqual({
      data: '/var/lib/countersign',
      listen: { host: '::1', port: 8443 },
      publicUrl: 'https://sign.example.org',
      firstStart: false,
      roles: ['log', 'tsa'],
      tls: { certificate: '/etc/countersign/tls.pem', key: '/run/tls.key', lookEveryMs: 60_000 },
      trustedProxies: ['127.0.0.1'],
      hosts: ['sign.internal'],
      database: {
        kind: 'postgres',
        url: { kind: 'env', name: 'DATABASE_URL' },
        password: undefined,
        ca: undefined,
        plaintext_UNSAFE: undefined,
        connections: 20,
      },
      blobs: {
        kind: 's3',
        endpoint: 'https://s3.example.org/logs',
        region: 'auto',
        prefix: '',
        accessKeyId: { kind: 'env', name: 'ID' },
        secretAccessKey: { kind: 'file', name: '/etc/countersign/s3.secret' },
      },
      keys: { passphrase: { kind: 'reference', reference: { kind: 'credential', name: 'passphrase' } } },
      limits: {
        bodyBytes: 65_536,
        headersMs: 15_000,
        requestMs: 500,
        idleMs: 65_000,
        connections: 10_000,
        receivedBytes: 268_435_456,
        answeredBytes: 536_870_912,
        drainMs: 60_000,
      },
      logging: { level: 'warn', format: 'json' },
      log: {
        admission: 'known',
        knownKeys: ['/etc/countersign/ci.pub'],
        witness: { policy: '/etc/countersign/witnesses.policy', witnesses: [], quorum: undefined, whenFewer: 'closed', deadline: 1000 },
        witnessFor: ['other.example+0a0b0c0d+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh'],
      },
      tsa: { clockSources: ['ntp.example.org'] },
    })
  })

  it('may be JSON', () => {
    expect(read('{"listen": "127.0.0.1:1", "keys": {"passphrase": "prompt"}}').keys).toEqual({ passphrase: { kind: 'prompt' } })
  })

  for (const [what, text, message] of [
    ['an unknown field', 'data: /x\nlimits:\n  bodyByte: 5\n', 'server.yaml:3:3: $.limits: unknown field "bodyByte"'],
    ['a wrong type', 'roles: log\n', 'server.yaml:1:1: $.roles: expected an array'],
    ['an unknown role', 'roles:\n  - log\n  - lgo\n', 'server.yaml:3:5: $.roles[1]: not one of the values'],
    ['a malformed address', 'listen: 8080\n', 'server.yaml:1:1: $.listen: expected a string'],
    ['a port that is none', 'listen: 127.0.0.1:99999\n', 'server.yaml:1:1: $.listen: malformed'],
    ['a duration without a unit', 'limits: { drain: "30" }\n', 'server.yaml:1:11: $.limits.drain: not a duration'],
    ['a bound out of bounds', 'limits: { connections: 0 }\n', 'server.yaml:1:11: $.limits.connections: not a number that is taken here'],
    ['a missing part', 'tls: { certificate: a.pem }\n', 'server.yaml:1:1: $.tls: key is missing'],
    ['another kind of database', 'database: { kind: mysql }\n', 'server.yaml:1:13: $.database.kind: not one of the values'],
    ['a database without a kind', 'database: {}\n', 'server.yaml:1:1: $.database.kind: expected a string'],
    ['a field of another kind', 'database: { kind: sqlite, url: env:X }\n', 'server.yaml:1:27: $.database: unknown field "url"'],
    ['an issuer that lacks its audience', 'ca:\n  issuers:\n    oidc-issuers:\n      https://x.example: { type: email }\n', '$.ca.issuers'],
    ['a key twice', 'data: /a\ndata: /b\n', 'server.yaml:2:1: Map keys must be unique'],
    ['an alias', 'data: &a /a\npublicUrl: *a\n', 'server.yaml:1:'],
    ['two documents', 'data: /a\n---\ndata: /b\n', 'server.yaml:2:1:'],
    ['a list', '- data\n', 'server.yaml:1:1: $: expected an object'],
  ] as const) {
    it(`with ${what} is refused, with line and column`, () => {
      expect(() => read(text)).toThrow(
        expect.objectContaining({ code: 'config_malformed', message: expect.stringContaining(message) as string }),
      )
    })
  }

  it('with a name that is nearly right is refused with the right one, wherever it stands', () => {
    const issuer = 'ca:\n  issuers:\n    oidc-issuers:\n      https://x.example:\n        client-id: sigstore\n        tpye: email\n'
    for (const [text, place, near] of [
      ['lisen: 127.0.0.1:1\n', '1:1', 'listen'],
      ['listen: 127.0.0.1:1\nlogging:\n  levle: info\n', '3:3', 'level'],
      ['identity:\n  upstreams:\n    - name: a\n      issuer: https://x.example\n      clientID: abc\n', '5:7', 'clientId'],
      [issuer, '6:9', 'type'],
    ] as const)
      expect(failureOf(() => read(text))).toMatchObject({
        code: 'config_malformed',
        message: expect.stringContaining(`server.yaml:${place}: $`) as string,
        hint: `Did you mean "${near}"?`,
      })
    expect(failureOf(() => read('colour: red\n'))).not.toHaveProperty('hint', expect.any(String))
  })

  it('names no clock source that is no host', () => {
    for (const source of ['ntp .example', 'ntp://x.example', '2001:db8::1', ''])
      expect(failureOf(() => read(`tsa: { clockSources: [${JSON.stringify(source)}] }`))).toMatchObject({ code: 'config_malformed' })
    expect(read('tsa: { clockSources: [a.example, "127.0.0.1:123"] }').tsa.clockSources).toHaveLength(2)
  })

  it('with a public URL of plain http off loopback is refused as that', () => {
    expect(() => read('publicUrl: http://sign.example.org\n')).toThrow(
      expect.objectContaining({ code: 'insecure_transport', message: expect.stringContaining('server.yaml:1:1: $.publicUrl') as string }),
    )
  })

  it('that holds a secret in place of its name is refused without showing it', () => {
    for (const text of ['keys: { passphrase: hunter2-hunter2 }', 'database: { kind: postgres, url: "postgres://u:hunter2-hunter2@h/d" }']) {
      const refusal = failureOf(() => read(text))
      expect(refusal).toMatchObject({ code: 'config_malformed', expected: 'file:PATH, env:NAME or credential:NAME' })
      expect(JSON.stringify([refusal.message, refusal.found])).not.toContain('hunter2')
    }
  })

  it('larger than a megabyte is the wrong file', () => {
    expect(() => read('#'.repeat(1024 * 1024 + 1))).toThrow(expect.objectContaining({ code: 'config_malformed' }))
  })

  it('knows of each setting what is written and where', () => {
    const { settings } = readConfiguration('data: /a\nlimits:\n  drain: 5s\nroles: [log]\n', 'c.yaml', '/', configurationField)
    expect(settings).toEqual([
      { path: '$.data', value: '/a', place: 'c.yaml:1:7' },
      { path: '$.limits.drain', value: '5s', place: 'c.yaml:3:10' },
      { path: '$.roles[0]', value: 'log', place: 'c.yaml:4:9' },
    ])
  })
})

function failureOf(work: () => unknown): { readonly message: string; readonly found?: string } {
  try {
    work()
  } catch (failure) {
    return failure as { readonly message: string }
  }
  return { message: 'nothing was refused' }
}
