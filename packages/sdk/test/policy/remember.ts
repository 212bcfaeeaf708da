/** `remember FOLDER FROM COUNT`, two public keys as JSON on stdin: remembers that many versions of a list, for the test to run several, and to kill. */
import { readFileSync } from 'node:fs'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { openRevocationMemory } from '@countersign/sdk/policy/revocation-memory'

const [folder = '', from = '', count = ''] = process.argv.slice(2)
const pems = JSON.parse(readFileSync(0, 'utf8')) as readonly string[]
const keys = pems.map((pem) => ({ key: parsePublicKeyPem(pem), label: 'board' }))
const source = { name: 'acme', keys, threshold: 1, minVersion: 1, required: true, path: '$' }
const memory = openRevocationMemory(folder)
for (let version = Number(from); version < Number(from) + Number(count); version++) {
  await memory.remember(source, { name: 'acme', version, issuedMs: 0, expiresMs: 1, entries: [] })
}
