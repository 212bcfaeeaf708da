/** `make-tuf-mirror FOLDER [VERSION [DAYS]]`: a TUF repository with an empty trusted root, as files; its root goes to FOLDER/root.json. The key stays in FOLDER/key.json. */
import { createPrivateKey } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tufFiles, tufKey, type MirrorKey, tufState } from '@countersign/testkit/tuf-mirror'

const [folder = 'tuf', version = '1', days = '60'] = process.argv.slice(2)
const keyFile = join(folder, 'key.json')
mkdirSync(join(folder, 'targets'), { recursive: true })
const key = existsSync(keyFile) ? readKey() : newKey()
const trustedRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
const state = { ...tufState(key, { 'trusted_root.json': trustedRoot }, Number(days)), version: Number(version) }
for (const [path, bytes] of tufFiles(state)) {
  // The root stays the first one, which the verifier knows.
  if (path !== '/1.root.json' || !existsSync(join(folder, path))) writeFileSync(join(folder, path), bytes)
}
writeFileSync(join(folder, 'root.json'), readFileSync(join(folder, '1.root.json')))

function newKey(): MirrorKey {
  const made = tufKey()
  const pem = made.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  writeFileSync(keyFile, JSON.stringify({ id: made.id, json: made.json, pem }))
  return made
}

function readKey(): MirrorKey {
  const { id, json, pem } = JSON.parse(readFileSync(keyFile, 'utf8')) as { id: string; json: MirrorKey['json']; pem: string }
  return { id, json, privateKey: createPrivateKey(pem) }
}
