/** What `policy revoke` is to revoke, as its flags say. */
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { compileGlob } from '@countersign/core/glob'
import { keyFingerprint } from '@countersign/core/keys/public-key'
import type { RevocationEntry, RevocationTarget } from '@countersign/core/policy/revocation-list'
import type { NameMatch } from '@countersign/core/verify/policy'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPublicKey } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { momentFrom } from './terms.ts'

/** The entries that the flags add; none when they name no target. Throws `usage`, and the failures of key files. */
export async function entriesFromFlags(invocation: Invocation): Promise<readonly RevocationEntry[]> {
  const { flags, terminal } = invocation
  const targets = await targetsFromFlags(invocation)
  const [effective, severity, reason] = [flags.text('effective'), flags.text('severity') ?? 'deny', flags.text('reason')]
  if (targets.length === 0) {
    const beside = ['effective', 'severity', 'reason', 'certificate-issuer'].find((name) => flags.text(name) !== undefined)
    if (beside === undefined) return []
    throw new CountersignError('usage', `--${beside} says nothing without what is revoked`, {
      hint: 'Give --revoke-key, or another of the --revoke flags.',
    })
  }
  if (reason === undefined)
    throw new CountersignError('usage', '--reason is missing', { hint: 'Say why, for those whom the revocation stops.' })
  if (severity !== 'deny' && severity !== 'warn') {
    throw new CountersignError('usage', '--severity names none', { expected: 'deny or warn', found: JSON.stringify(severity.slice(0, 40)) })
  }
  const effectiveMs = effective === undefined ? undefined : momentFrom('effective', effective, terminal.nowMs)
  return targets.map((target) => ({ target, ...(effectiveMs === undefined ? {} : { effectiveMs }), severity, reason }))
}

async function targetsFromFlags({ flags, terminal }: Invocation): Promise<readonly RevocationTarget[]> {
  const io = nodeKeyIo(terminal.environment)
  const targets: RevocationTarget[] = []
  for (const key of flags.list('revoke-key')) {
    const fingerprint = parseDigest(key) ?? (await keyFingerprint(await inFile(key, () => loadPublicKey(key, io)), nodePrimitives))
    targets.push({ kind: 'key', fingerprint })
  }
  const subject = flags.text('revoke-certificate')
  if (subject !== undefined) {
    const issuer = flags.required('certificate-issuer', 'Say who vouches for the subject; ** stands for anybody.')
    targets.push({ kind: 'certificate', issuer: nameOf(issuer), subject: nameOf(subject) })
  }
  for (const entry of flags.list('revoke-log-entry')) targets.push(logEntry(entry))
  for (const digest of flags.list('revoke-artifact')) targets.push({ kind: 'artifact', digest: digestOf('revoke-artifact', digest) })
  for (const pair of flags.list('revoke-signature')) {
    const [content = '', signer = ''] = pair.split(',')
    targets.push({ kind: 'signature', content: digestOf('revoke-signature', content), signer: digestOf('revoke-signature', signer) })
  }
  return targets
}

function nameOf(text: string): NameMatch {
  if (!text.includes('*')) return { kind: 'exact', value: text }
  compileGlob(text)
  return { kind: 'glob', value: text }
}

function logEntry(text: string): RevocationTarget {
  const [, log, index] = /^(.+)#(0|[1-9][0-9]{0,15})$/.exec(text) ?? []
  if (log !== undefined && Number.isSafeInteger(Number(index))) return { kind: 'logEntry', log, index: Number(index) }
  throw new CountersignError('usage', '--revoke-log-entry names none', {
    expected: 'the URL of the log, # and the index',
    found: text.slice(0, 80),
  })
}

function digestOf(flag: string, text: string): Digest {
  const digest = parseDigest(text)
  if (digest !== undefined) return digest
  throw new CountersignError('usage', `--${flag} has no digest`, {
    expected: 'sha256: and 64 lower-case hex digits',
    found: text.slice(0, 80),
  })
}
