/**
 * The main job in one minute, without any service: makes a small image and a file, signs both, verifies both, attests an SBOM, and shows
 * that what was changed and what a stranger signed is refused. Runs the real command; ends 0 only if every step did what it should.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { styleText } from 'node:util'

const command = resolve(import.meta.dirname, '../packages/cli/bin/countersign.js')
const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
const wrong: string[] = []

main()

function main(): void {
  if (!existsSync(resolve(import.meta.dirname, '../packages/cli/dist/main.js'))) {
    process.stderr.write('countersign is not built yet: run "npm ci" or "npm run build" first\n')
    process.exit(1)
  }
  say(`Everything happens in ${folder}`)
  const manifest = writeImage(join(folder, 'image'), '1.0', 'hello from a small image\n')
  writeFileSync(join(folder, 'release.txt'), 'what we ship\n')
  writeFileSync(join(folder, 'sbom.spdx.json'), sbom())

  say('Two key pairs: ours, and that of a stranger. (A password protects each; here it comes from the environment.)')
  run(['generate-key-pair'], 0)
  run(['generate-key-pair', '--output-key-prefix', 'stranger'], 0)

  say('Sign an image and a file.')
  run(['sign', '--key', 'cosign.key', '-a', 'build=42', 'oci:image:1.0'], 0)
  run(['sign-blob', '--key', 'cosign.key', '--bundle', 'release.txt.sigstore.json', 'release.txt'], 0)

  say('Verify both.')
  run(['verify', '--key', 'cosign.pub', 'oci:image:1.0'], 0)
  run(['verify-blob', '--key', 'cosign.pub', '--bundle', 'release.txt.sigstore.json', 'release.txt'], 0)

  say('Attest what is in the image, and verify that too.')
  run(['attest', '--key', 'cosign.key', '--type', 'spdxjson', '--predicate', 'sbom.spdx.json', 'oci:image:1.0'], 0)
  run(['verify-attestation', '--key', 'cosign.pub', '--type', 'spdxjson', '--report', 'text', 'oci:image:1.0'], 0)

  say('A changed image is refused: here somebody edited its manifest (exit 15).')
  changeManifest(manifest)
  run(['verify', '--key', 'cosign.pub', 'oci:changed:1.0'], 15)

  say('So is another image under the same tag: nobody signed it (exit 10).')
  writeImage(join(folder, 'replaced'), '1.0', 'hello from somebody else\n')
  run(['verify', '--key', 'cosign.pub', 'oci:replaced:1.0'], 10)

  say('So is a changed file (exit 15), and what is verified with the key of a stranger (exit 12).')
  writeFileSync(join(folder, 'changed.txt'), 'what somebody else ships\n')
  run(['verify-blob', '--key', 'cosign.pub', '--bundle', 'release.txt.sigstore.json', 'changed.txt'], 15)
  run(['verify', '--key', 'stranger.pub', 'oci:image:1.0'], 12)
  conclude()
}

/** Runs one command as typed and compares its exit code. */
function run(args: readonly string[], expected: number): void {
  process.stdout.write(`\n${styleText('bold', `$ countersign ${args.join(' ')}`)}\n`)
  // No profile of this account may change what is shown.
  const env = { ...process.env, COUNTERSIGN_PASSWORD: 'quickstart', COUNTERSIGN_PROFILE: 'none' }
  const { status } = spawnSync(process.execPath, [command, ...args], { cwd: folder, env, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === expected) return
  wrong.push(`countersign ${args.join(' ')}: exit ${status ?? 'by a signal'}, expected ${expected}`)
}

function say(text: string): void {
  process.stdout.write(`\n${text}\n`)
}

function conclude(): void {
  if (wrong.length > 0) {
    process.stderr.write(`\nNot everything went as it should:\n${wrong.map((line) => `  ${line}\n`).join('')}`)
    process.exit(1)
  }
  say(`Everything did what it should. Try next, in the checkout:

  npx countersign tree oci:${folder}/image:1.0
  npx countersign inspect ${folder}/release.txt.sigstore.json
  npx countersign verify --key ${folder}/cosign.pub --report json oci:${folder}/image:1.0
  npx countersign sign --help

The password of the keys is "quickstart". To sign an image of yours: npx countersign sign --key ${folder}/cosign.key REGISTRY/IMAGE:TAG`)
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
