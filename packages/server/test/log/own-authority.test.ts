import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documentPlace } from '@countersign/core/json/shape'
import { decodePem } from '@countersign/core/pem'
import { readPemSigner } from '@countersign/core/rekor/pem-signer'
import { ofOwnAuthority } from '../../src/log/own-authority.ts'

const hourMs = 3600_000
const made = { ours: '', other: '', leaf: '', sameNames: '' }
let folder = ''

/** `openssl` in the folder of the test. */
function openssl(...words: string[]): void {
  execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' })
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-own-authority-'))
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  writeFileSync(join(folder, 'names'), 'subjectAltName=email:ada@example.org\n')
  for (const name of ['ours', 'other'])
    openssl('req', '-x509', ...key, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', '/CN=authority', '-days', '30')
  openssl('req', ...key, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=leaf')
  const issue = ['-req', '-in', 'leaf.csr', '-days', '1', '-extfile', 'names']
  openssl('x509', ...issue, '-CA', 'ours.pem', '-CAkey', 'ours.key', '-out', 'leaf.pem')
  openssl('x509', ...issue, '-CA', 'other.pem', '-CAkey', 'other.key', '-out', 'sameNames.pem')
  for (const name of ['ours', 'other', 'leaf', 'sameNames'] as const) made[name] = readFileSync(join(folder, `${name}.pem`), 'utf8')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What the rule says of an entry whose signer is this PEM, so many hours from now. */
function ruleOn(pem: string, hours = 0): Promise<boolean> {
  const chain = decodePem(made.ours, 'CERTIFICATE').map(({ bytes }) => bytes)
  const place = documentPlace('here', 'log_entry_malformed')
  const rule = ofOwnAuthority(
    async () => [chain],
    () => Date.now() + hours * hourMs,
  )
  return rule({ signer: readPemSigner(place, new Uint8Array(Buffer.from(pem))).signer })
}

describe('entries by certificates of the own authority', () => {
  it('are those that it signed, with or without its own certificates behind', async () => {
    expect(await ruleOn(made.leaf)).toBe(true)
    expect(await ruleOn(made.leaf + made.ours)).toBe(true)
    expect(await ruleOn(made.leaf, 47.9)).toBe(true)
  })

  it('attack: an authority of the same names is another one', async () => {
    expect(await ruleOn(made.sameNames)).toBe(false)
    expect(await ruleOn(made.other)).toBe(false)
  })

  it('attack: a key whose certificate ended long ago writes no more', async () => {
    expect(await ruleOn(made.leaf, 48.1)).toBe(false)
  })

  it('attack: nobody brings what they like into the log as the chain of their certificate', async () => {
    expect(await ruleOn(made.leaf + made.other)).toBe(false)
    expect(await ruleOn(made.leaf + made.ours + made.sameNames)).toBe(false)
  })
})
