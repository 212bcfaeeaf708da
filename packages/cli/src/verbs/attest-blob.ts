/** `countersign attest-blob`. */
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { type AttestedBlob, attestBlob, attestDigest } from '@countersign/sdk/blob/sign'
import type { AttestedFiles } from '@countersign/sdk/blob/sign-files'
import type { StatementSource } from '@countersign/sdk/sign/requests'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { blobSource, isFolder } from '../signing/blob-source.ts'
import { demandBundle } from '../signing/kept.ts'
import { signerFromFlags } from '../signing/signer.ts'
import { asMistake, statementSource } from '../signing/statement-source.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Attests something about a file, or about a digest. */
export async function attestBlobVerb(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects } = invocation
  const [file] = subjects
  const hash = flags.text('hash')
  demandBundle(invocation, false)
  const source = await statementSource(invocation)
  const signer = await signerFromFlags(invocation)
  demandBundle(invocation, false, signer)
  const attested = await attestOne(invocation, source, signer).catch((thrown: unknown) => {
    throw asMistake(thrown, source)
  })
  const files = await writeFiles(invocation, attested)
  if ('files' in attested)
    return { subjects: attested.files.map(({ name, digest }, at) => ({ subject: name, ok: true, digest, ...(at === 0 ? { files } : {}) })) }
  return {
    subjects: [{ subject: file ?? hash ?? 'statement', ok: true, digest: attested.digest, ...(files.length === 0 ? {} : { files }) }],
  }
}

async function attestOne(invocation: Invocation, source: StatementSource, signer: Signer): Promise<AttestedBlob | AttestedFiles> {
  const { flags, subjects, terminal } = invocation
  const [file] = subjects
  const hash = flags.text('hash')
  if (file !== undefined && (subjects.length > 1 || (await isFolder(file)))) {
    if (hash !== undefined) throw new CountersignError('usage', '--hash is of one file', { hint: 'Name one, or leave --hash out.' })
    const { namedFiles } = await import('../signing/many-files.ts')
    const { attestFiles } = await import('@countersign/sdk/blob/sign-files')
    const written = ['bundle', 'output-signature', 'output-attestation'].flatMap((name) => flags.text(name) ?? [])
    return attestFiles(await namedFiles(invocation, written), { source, signer })
  }
  if (hash !== undefined) return attestDigest({ name: file ?? '', digest: hashDigest(hash) }, { source, signer })
  if (file !== undefined) {
    const blob = await blobSource(terminal, file, 'attesting')
    return attestBlob(blob.source, { source, signer }).finally(blob.end)
  }
  if (source.kind === 'statement') return attestDigest(undefined, { source, signer })
  throw new CountersignError('usage', 'it is not said which file to attest', { hint: 'Name the file, or give its SHA-256 with --hash.' })
}

function hashDigest(hex: string): Digest {
  const digest = parseDigest(hex.includes(':') ? hex : `sha256:${hex}`)
  if (digest !== undefined) return digest
  throw new CountersignError('digest_malformed', '--hash is no digest', {
    expected: '64 lower-case hex digits',
    found: JSON.stringify(hex.slice(0, 80)),
  })
}

async function writeFiles({ flags, terminal }: Invocation, attested: AttestedBlob): Promise<readonly string[]> {
  const legacy = flags.text('new-bundle-format') === 'false'
  const targets = [
    ['bundle', 'bundle', legacy ? legacyBundle(attested.envelope) : attested.bundle],
    ['output-signature', 'signature', attested.envelope],
    ['output-attestation', 'attestation', attested.statement],
  ] as const
  const files: string[] = []
  for (const [flag, what, bytes] of targets) {
    const path = flags.text(flag)
    if (path === undefined) continue
    await writeWhole(path, bytes)
    terminal.err(`Wrote ${what} to file ${path}\n`)
    files.push(path)
  }
  // Beside a legacy bundle cosign prints the envelope too.
  if ((legacy || flags.text('bundle') === undefined) && flags.text('output-signature') === undefined) {
    terminal.out(`${Buffer.from(attested.envelope).toString('utf8')}\n`)
  }
  return files
}

/** cosign's legacy bundle of an attestation: the base64 of the envelope's own base64. */
function legacyBundle(envelope: Uint8Array): string {
  return JSON.stringify({ base64Signature: Buffer.from(envelope).toString('base64') })
}
