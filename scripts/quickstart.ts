/**
 * The main job in one minute: starts the platform in a temporary folder, makes an account, signs a small image and a file with nothing but an
 * identity, verifies both, attests an SBOM, and shows that what was changed and what another person signed is refused. Runs the real command.
 * Then it goes on serving until Ctrl-C; with `--stop`, or where `CI` is `true`, it ends, 0 only if every step did what it should.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { styleText } from 'node:util'

const command = resolve(import.meta.dirname, '../packages/cli/bin/countersign.js')
const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
const stops = process.argv.includes('--stop') || process.env['CI'] === 'true'
// No profile of this account may change what is shown, and nothing is kept in its home.
const env = { ...process.env, COUNTERSIGN_PROFILE: 'none', TUF_ROOT: join(folder, 'trust'), SIGSTORE_ID_TOKEN: '' }
const wrong: string[] = []

await main()

async function main(): Promise<void> {
  if (!existsSync(resolve(import.meta.dirname, '../packages/cli/dist/main.js'))) {
    process.stderr.write('countersign is not built yet: run "npm ci" or "npm run build" first\n')
    process.exit(1)
  }
  say(`Everything happens in ${folder}`)
  say('Start the platform: certificate authority, transparency logs, timestamps, trust root and identity, on one port.')
  const { server, url } = await startPlatform()
  const ended = new Promise<void>((done) => server.once('exit', () => done()))
  // Ctrl-C reaches the server too; this process ends after it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => server.kill(signal))
  if (!round(url)) process.exitCode = 1
  if (stops) server.kill('SIGTERM')
  else say(`The platform goes on at ${url} until Ctrl-C; it is removed by removing the folder.`)
  await ended
}

/** What a person does once, and then for each release. Gives whether every step did what it should. */
function round(url: string): boolean {
  const who = (name: string): readonly string[] => [`--certificate-identity=${name}@example.org`, `--certificate-oidc-issuer=${url}/oidc`]
  const manifest = writeImage(join(folder, 'image'), '1.0', 'hello from a small image\n')
  writeFileSync(join(folder, 'release.txt'), 'what we ship\n')
  writeFileSync(join(folder, 'sbom.spdx.json'), sbom())

  say('Once for each client: trust it. cosign takes the same line. (Off this machine, the checksum of the root belongs to it.)')
  run(['initialize', '--mirror', `${url}/tuf`, '--root', `${url}/kit/root.json`], 0)

  say('An account, and an identity token for it: ten minutes long, this is who Ada is. (Without one, sign opens a browser to log in.)')
  run(['account', 'create', 'ada', '--email', 'ada@example.org', '--data', 'platform'], 0)
  run(['token', 'ada', '--data', 'platform'], 0, 'ada.token')

  say('Sign an image and a file. No key: each gets a certificate for ten minutes, an entry in the log, and a timestamp.')
  run(['sign', '--identity-token', 'ada.token', 'oci:image:1.0'], 0)
  run(['sign-blob', '--identity-token', 'ada.token', '--bundle', 'release.txt.sigstore.json', 'release.txt'], 0)

  say('Verify both: signed by Ada, and nobody else. This asks no service.')
  run(['verify', ...who('ada'), 'oci:image:1.0'], 0)
  run(['verify-blob', ...who('ada'), '--bundle', 'release.txt.sigstore.json', 'release.txt'], 0)

  say('Attest what is in the image, and verify that too.')
  run(['attest', '--identity-token', 'ada.token', '--type', 'spdxjson', '--predicate', 'sbom.spdx.json', 'oci:image:1.0'], 0)
  run(['verify-attestation', ...who('ada'), '--type', 'spdxjson', '--report', 'text', 'oci:image:1.0'], 0)

  say('A changed image is refused: here somebody edited its manifest (exit 15).')
  changeManifest(manifest)
  run(['verify', ...who('ada'), 'oci:changed:1.0'], 15)

  say('So is another image under the same tag: nobody signed it (exit 10).')
  writeImage(join(folder, 'replaced'), '1.0', 'hello from somebody else\n')
  run(['verify', ...who('ada'), 'oci:replaced:1.0'], 10)

  say('So is a changed file (exit 15), and what Bob was to have signed (exit 12).')
  writeFileSync(join(folder, 'changed.txt'), 'what somebody else ships\n')
  run(['verify-blob', ...who('ada'), '--bundle', 'release.txt.sigstore.json', 'changed.txt'], 15)
  run(['verify', ...who('bob'), 'oci:image:1.0'], 12)
  return conclude(url)
}

/** Starts `serve` in the folder, and waits for its line. What it logs goes into a file. */
async function startPlatform(): Promise<{ readonly server: ChildProcess; readonly url: string }> {
  const args = ['serve', '--data', 'platform', '--listen', '127.0.0.1:0', '--report', 'json']
  show(args.slice(0, -2))
  const log = join(folder, 'platform.log')
  const server = spawn(process.execPath, [command, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', openSync(log, 'a')] })
  const line = await new Promise<string>((ready, failed) => {
    let out = ''
    server.stdout?.on('data', (part: Buffer) => {
      out += part.toString()
      if (out.includes('\n')) ready(out)
    })
    server.once('exit', () => failed(new TypeError(`the platform did not start:\n${readFileSync(log, 'utf8')}`)))
  })
  const { publicUrl } = JSON.parse(line) as { publicUrl: string }
  process.stdout.write(`${publicUrl}\n`)
  return { server, url: publicUrl }
}

/** Runs one command as typed and compares its exit code; what it prints goes into a file where one is named. */
function run(args: readonly string[], expected: number, output?: string): void {
  show([...args, ...(output === undefined ? [] : ['>', output])])
  const stdout = output === undefined ? 'inherit' : openSync(join(folder, output), 'w', 0o600)
  const { status } = spawnSync(process.execPath, [command, ...args], { cwd: folder, env, stdio: ['ignore', stdout, 'inherit'] })
  if (status === expected) return
  wrong.push(`countersign ${args.join(' ')}: exit ${status ?? 'by a signal'}, expected ${expected}`)
}

function show(args: readonly string[]): void {
  process.stdout.write(`\n${styleText('bold', `$ countersign ${args.join(' ')}`)}\n`)
}

function say(text: string): void {
  process.stdout.write(`\n${text}\n`)
}

function conclude(url: string): boolean {
  if (wrong.length > 0) {
    process.stderr.write(`\nNot everything went as it should:\n${wrong.map((line) => `  ${line}\n`).join('')}`)
    return false
  }
  say(`Everything did what it should. Try next, in the checkout:

  npx countersign tree oci:${folder}/image:1.0
  npx countersign inspect ${folder}/release.txt.sigstore.json
  npx countersign sign-blob --help

With cosign, after the line "cosign initialize" of ${url}/kit, which says how each client is set up:

  cosign sign-blob --yes --identity-token "$(cat ${folder}/ada.token)" --bundle by-cosign.json README.md`)
  return true
}

/** Writes an OCI image layout with one image: a layer of one file, a config, a manifest. Gives the digest of the manifest, hex. */
function writeImage(path: string, tag: string, text: string): string {
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true })
  const put = (bytes: Uint8Array): { digest: string; size: number } => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(join(path, 'blobs/sha256', hex), bytes)
    return { digest: `sha256:${hex}`, size: bytes.length }
  }
  const json = (value: object): Uint8Array => Buffer.from(JSON.stringify(value))
  const layer = put(tarOf('hello.txt', Buffer.from(text)))
  const config = put(json({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } }))
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = put(
    json({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    }),
  )
  writeFileSync(join(path, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
  const annotations = { 'org.opencontainers.image.ref.name': tag }
  writeFileSync(join(path, 'index.json'), json({ schemaVersion: 2, manifests: [{ mediaType, ...manifest, annotations }] }))
  return manifest.digest.slice('sha256:'.length)
}

/** A tar archive with one file (POSIX ustar): a header of fields at fixed places, the content, and two empty blocks. */
function tarOf(name: string, content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(512)
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')
  header.write(name, 0)
  header.write(octal(0o644, 7), 100)
  header.write(octal(0, 7), 108)
  header.write(octal(0, 7), 116)
  header.write(octal(content.length, 11), 124)
  header.write(octal(0, 11), 136)
  header.write(`${' '.repeat(8)}0`, 148)
  header.write('ustar', 257)
  header.write('00', 263)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 6)}\0 `, 148)
  return Buffer.concat([header, content, Buffer.alloc(512 - (content.length % 512)), Buffer.alloc(1024)])
}

/** Copies the signed image and edits its manifest in place, so that it is stored under a digest that is no longer its own. */
function changeManifest(manifest: string): void {
  cpSync(join(folder, 'image'), join(folder, 'changed'), { recursive: true })
  const path = join(folder, 'changed/blobs/sha256', manifest)
  writeFileSync(path, readFileSync(path, 'utf8').replace('"schemaVersion":2', '"schemaVersion": 2'))
}

function sbom(): string {
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: 'small-image',
    documentNamespace: 'https://example.org/small-image-1.0',
    creationInfo: { created: '2026-01-01T00:00:00Z', creators: ['Tool: quickstart'] },
    packages: [{ name: 'hello', SPDXID: 'SPDXRef-hello', versionInfo: '1.0', downloadLocation: 'NOASSERTION' }],
  }
  return JSON.stringify(document)
}
