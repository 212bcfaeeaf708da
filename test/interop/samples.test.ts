/** Everything that the real cosign wrote into the vectors, read with our command line. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shown } from './command.ts'
import { layoutFromDump } from './images.ts'
import { makeWorld, type World } from './world.ts'

const vectors = vectorsFolder()
if (vectors === undefined) process.stderr.write('skipped: the samples of cosign, because the vectors are not beside the checkout\n')

describe.skipIf(vectors === undefined)('what cosign 3.1.1 wrote', () => {
  const samples = join(vectors ?? '', 'cosign-3.1.1')
  const at = (path: string) => join(samples, path)
  let world: World

  beforeAll(() => {
    world = makeWorld()
  })
  afterAll(() => world.remove())

  const blobs: readonly [name: string, args: readonly string[], exit: number][] = [
    ['a bundle by a P-256 key', ['--bundle', 'blob/b.sigstore.json', '--key', 'keys/cosign.pub'], 0],
    ['a bundle by an RSA 2048 key', ['--bundle', 'blob/b-rsa2048.sigstore.json', '--key', 'keys/imp-rsa2048.pub'], 0],
    ['a bundle by an RSA 3072 key', ['--bundle', 'blob/b-rsa3072-p8.sigstore.json', '--key', 'keys/imp-rsa3072-p8.pub'], 0],
    [
      'a bundle by a P-384 key, which cosign itself cannot verify',
      ['--bundle', 'blob/b-ec384.sigstore.json', '--key', 'keys/imp-ec384.pub'],
      0,
    ],
    [
      'a bundle by a P-521 key, which cosign itself cannot verify',
      ['--bundle', 'blob/b-ec521.sigstore.json', '--key', 'keys/imp-ec521.pub'],
      0,
    ],
    ['a bundle made by bundle create', ['--bundle', 'blob/b.bundle-create.json', '--key', 'keys/cosign.pub'], 0],
    [
      'a bundle with a timestamp',
      [
        '--bundle',
        'blob/b.tsa.sigstore.json',
        '--key',
        'keys/cosign.pub',
        '--trusted-root',
        'config/tr-tsa.json',
        '--insecure-ignore-tlog',
      ],
      0,
    ],
    ['a detached signature', ['--signature', 'blob/b.sig', '--key', 'keys/cosign.pub'], 0],
    ['a legacy bundle', ['--bundle', 'blob/b.legacy-bundle.json', '--key', 'keys/cosign.pub'], 0],
    ['a bundle, with another key', ['--bundle', 'blob/b.sigstore.json', '--key', 'keys/other.pub'], 12],
    ['a detached signature, with another key', ['--signature', 'blob/b.sig', '--key', 'keys/other.pub'], 12],
  ]
  for (const [name, args, exit] of blobs) {
    it(`${exit === 0 ? 'verifies' : 'refuses'} ${name}`, async () => {
      const outcome = await world.tool('ours', ['verify-blob', ...args, 'blob/b.txt'], { cwd: samples })
      expect(shown(outcome)).toMatch(new RegExp(`^exit ${exit}(?:\n|$)`))
    })
  }

  it('refuses another file as altered', async () => {
    const args = ['verify-blob', '--bundle', 'blob/b.sigstore.json', '--key', 'keys/cosign.pub', 'blob/evil.txt']
    expect((await world.tool('ours', args, { cwd: samples })).code).toBe(15)
  })

  it('refuses the key that an attacker put into a legacy bundle (GHSA-fx35-mq7g-6g98)', async () => {
    const args = ['verify-blob', '--bundle', 'blob/evil.old.json', '--key', 'keys/cosign.pub', 'blob/evil.txt']
    expect((await world.tool('ours', args, { cwd: samples })).code).not.toBe(0)
  })

  it('verifies a bundle by a certificate, for the identity in it and for no other', async () => {
    const flags = [
      '--bundle',
      'blob/b.cert.sigstore.json',
      '--trusted-root',
      'config/tr-full.json',
      '--insecure-ignore-tlog',
      '--insecure-ignore-sct',
      '--use-signed-timestamps',
    ]
    const identity = (name: string) => ['--certificate-identity', name, '--certificate-oidc-issuer', 'https://issuer.example.com']
    const good = await world.tool('ours', ['verify-blob', ...flags, ...identity('dev@example.com'), 'blob/b.txt'], { cwd: samples })
    const wrong = await world.tool('ours', ['verify-blob', ...flags, ...identity('eve@example.com'), 'blob/b.txt'], { cwd: samples })
    expect(shown(good)).toBe('exit 0')
    expect(wrong.code).toBe(12)
  })

  const attestations = [
    ['ab.sigstore.json', 'slsaprovenance1'],
    ['ab.num.json', 'https://example.com/my/v1'],
    ['ab.old.json', 'custom'],
    ['ab.stmt.json', 'https://example.com/my/v1'],
  ] as const
  for (const [bundle, type] of attestations) {
    it(`verifies the attestation of a file in ${bundle}`, async () => {
      const args = [
        'verify-blob-attestation',
        '--type',
        type,
        '--bundle',
        at(`attest-blob/${bundle}`),
        '--key',
        at('keys/cosign.pub'),
        at('blob/b.txt'),
      ]
      const outcome = await world.tool('ours', args)
      expect(shown(outcome)).toBe('exit 0')
    })
  }

  it('verifies an attestation by Ed25519ph, which cosign itself cannot verify', async () => {
    const args = [
      'verify-blob-attestation',
      '--bundle',
      at('attest-blob/ed25519ph-unverifiable.json'),
      '--key',
      at('keys/imp-ed25519.pub'),
      at('blob/b.txt'),
    ]
    const outcome = await world.tool('ours', args)
    expect(shown(outcome)).toBe('exit 0')
  })

  for (const [key, secret] of [
    ['cosign', 'pw'],
    ['other', 'pw2'],
    ['nopw', ''],
    ['kdf-32768', 'pw'],
    ['kdf-131072', 'pw'],
    ['imp-ec384', 'pw'],
    ['imp-ec521', 'pw'],
    ['imp-ed25519', 'pw'],
    ['imp-rsa2048', 'pw'],
    ['imp-rsa3072-p8', 'pw'],
  ] as const) {
    it(`reads the encrypted key ${key}`, async () => {
      const outcome = await world.tool('ours', ['public-key', '--key', at(`keys/${key}.key`)], { env: { COSIGN_PASSWORD: secret } })
      expect(shown(outcome)).toBe('exit 0')
      expect(outcome.stdout).toContain('-----BEGIN PUBLIC KEY-----')
    })
  }

  const images: readonly [dump: string, digest: string, verify: readonly string[], exit: number][] = [
    [
      'new-bundle-fallback-tag',
      '12579d492ab66f10dd87c03a1b3b21a255ccb2dd21ff460a69d77ba3381ca590',
      ['verify', '--key', 'keys/cosign.pub'],
      0,
    ],
    ['legacy-sig', '0122dd5f6f9f8793faedba8279f4051c3448038ac0c5019696e56836d708e910', ['verify', '--key', 'keys/cosign.pub'], 0],
    [
      'legacy-oci11-experimental',
      '6d0828ef617a3eac082258d439097b1a3615b4d3b7e0fb1beffef246fc961311',
      ['verify', '--key', 'keys/cosign.pub'],
      0,
    ],
    ['all-in-one', '2954597f44bcee9797d08a20b8377c7bf61ba3e45bd0a423f00f333978a94343', ['verify', '--key', 'keys/cosign.pub'], 0],
    [
      'all-in-one',
      '2954597f44bcee9797d08a20b8377c7bf61ba3e45bd0a423f00f333978a94343',
      ['verify-attestation', '--key', 'keys/cosign.pub', '--type', 'vuln'],
      0,
    ],
    [
      'attest-new',
      '52e1b157490eb52d57388a3618c3e5728515cb11d55498b4d4cfe2eb4361023a',
      ['verify-attestation', '--key', 'keys/cosign.pub'],
      0,
    ],
    ['attest-new', '52e1b157490eb52d57388a3618c3e5728515cb11d55498b4d4cfe2eb4361023a', ['verify', '--key', 'keys/cosign.pub'], 10],
    [
      'attest-legacy',
      '5e6992f7b7827c9be4c20b0df40deb9b3a956350bbe3019dd3236b55ef8f0843',
      ['verify-attestation', '--key', 'keys/cosign.pub'],
      0,
    ],
    ['attest-legacy', '5e6992f7b7827c9be4c20b0df40deb9b3a956350bbe3019dd3236b55ef8f0843', ['verify', '--key', 'keys/cosign.pub'], 10],
    ['legacy-sig', '0122dd5f6f9f8793faedba8279f4051c3448038ac0c5019696e56836d708e910', ['verify', '--key', 'keys/imp-rsa2048.pub'], 12],
    ['registry-kid0', '68c3c55b1577bef8bb8a2d537f0dbd9eaa527201694de51ad104d1804e04a1ee', ['verify', '--key', 'keys/cosign.pub'], 0],
  ]
  for (const [index, [dump, hex, command, exit]] of images.entries()) {
    it(`${command[0]} of ${dump} with ${command[2]} exits ${exit}`, async () => {
      const layout = join(world.folder, `layout-${index}`)
      mkdirSync(layout)
      layoutFromDump(at(dump), layout)
      const outcome = await world.tool('ours', [...command, `oci:${layout}@sha256:${hex}`], { cwd: samples })
      expect(shown(outcome)).toMatch(new RegExp(`^exit ${exit}(?:\n|$)`))
    })
  }

  for (const [folder, key, exit] of [
    ['save-layout-new', 'cosign', 0],
    ['save-layout-new', 'imp-rsa2048', 12],
    ['save-layout-legacy', 'cosign', 0],
    ['save-layout-legacy', 'imp-rsa2048', 12],
  ] as const) {
    it(`verify --local-image of what cosign save wrote to ${folder}, with ${key}, exits ${exit}`, async () => {
      const outcome = await world.tool('ours', ['verify', '--key', `keys/${key}.pub`, '--local-image', folder], { cwd: samples })
      expect(shown(outcome)).toMatch(new RegExp(`^exit ${exit}(?:\\n|$)`))
    })
  }

  for (const dump of ['registry-ncert', 'legacy-sig-cert-tsa']) {
    it(`verifies the image in ${dump} for the identity in its certificate, at the time of its timestamp`, async () => {
      const hex =
        dump === 'registry-ncert'
          ? '5a70b8899908c25b62139fa116a23eb28599ed78623fece4ca3a321856c0e3b6'
          : '406b4ac600a8ae6c7407f8ad9ea1e25eff870b6f40640145b821b386f4903f46'
      const layout = join(world.folder, dump)
      mkdirSync(layout)
      layoutFromDump(at(dump), layout)
      const flags = ['--trusted-root', 'config/tr-full.json', '--insecure-ignore-tlog', '--insecure-ignore-sct', '--use-signed-timestamps']
      const identity = ['--certificate-identity', 'dev@example.com', '--certificate-oidc-issuer', 'https://issuer.example.com']
      const outcome = await world.tool('ours', ['verify', ...flags, ...identity, `oci:${layout}@sha256:${hex}`], { cwd: samples })
      expect(shown(outcome)).toBe('exit 0')
      // Nobody named: refused, and the flags that are shown accept exactly who signed.
      const nobody = await world.tool('ours', ['verify', ...flags, `oci:${layout}@sha256:${hex}`], { cwd: samples })
      const offered = /flags: (.*)/.exec(nobody.stderr)?.[1]?.split(' ') ?? []
      expect([nobody.code, offered]).toEqual([
        2,
        ['--certificate-identity=dev@example.com', '--certificate-oidc-issuer=https://issuer.example.com'],
      ])
      const pasted = await world.tool('ours', ['verify', ...flags, ...offered, `oci:${layout}@sha256:${hex}`], { cwd: samples })
      expect(shown(pasted)).toBe('exit 0')
    })
  }
})
