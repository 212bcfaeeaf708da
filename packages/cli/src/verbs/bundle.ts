/** `countersign bundle create` and `countersign bundle upgrade`. */
import { CountersignError } from '@countersign/core/failure'
import { maxDocumentBytes } from '@countersign/core/json/parse'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { makeBundle, type MakeBundleRequest } from '@countersign/sdk/blob/make-bundle'
import { loadPublicKey } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import type { Invocation } from '../command/invocation.ts'
import { readBlobEvidence } from '../demands/blob-evidence.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { acceptedReport } from '../report/evidence.ts'
import { blobSource } from '../signing/blob-source.ts'
import { readInput } from '../terminal/input.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Makes a bundle. */
export async function bundleCreate(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const given = ['bundle', 'attestation', 'signature'].filter((name) => flags.text(name) !== undefined)
  if (given.length !== 1) {
    throw new CountersignError('usage', 'give one of --signature, --attestation and --bundle', {
      found: given.join(', ') || 'none',
      hint: 'See --help.',
    })
  }
  const { parts } = await readBlobEvidence(invocation, undefined, flags.text('bundle') ?? flags.text('attestation'))
  const reference = flags.text('key')
  const key = reference === undefined ? undefined : await loadPublicKey(reference, nodeKeyIo(terminal.environment))
  return writeBundle(invocation, given[0] ?? '', { ...parts, ...(key === undefined ? {} : { key }) })
}

/** Upgrades a bundle. */
export async function bundleUpgrade(invocation: Invocation): Promise<Conclusion> {
  const [subject = ''] = invocation.subjects
  return writeBundle(invocation, subject, { evidence: await readInput(subject, maxDocumentBytes) })
}

async function writeBundle(
  invocation: Invocation,
  subject: string,
  parts: Pick<MakeBundleRequest, 'evidence' | 'key'>,
): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const [artifact, root, out] = [flags.text('artifact'), flags.text('trusted-root'), flags.text('out')]
  const opened = artifact === undefined ? undefined : await blobSource(terminal, artifact, 'hashing')
  const { bundle, verification } = await makeBundle({
    ...parts,
    nowMs: terminal.nowMs,
    ...(opened === undefined ? {} : { artifact: opened.source }),
    ...(root === undefined ? {} : { trustedRoot: parseTrustedRoot(await readInput(root, maxDocumentBytes)) }),
  })
  opened?.end()
  if (verification?.ok === false) {
    const { code, detail, expected, found } = verification
    throw new CountersignError(code, `the bundle would not verify, and was not written: ${detail}`, {
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
      hint: 'Check that signature, artifact and key belong together.',
    })
  }
  if (out === undefined) terminal.out(bundle)
  else await writeWhole(out, bundle)
  terminal.err(
    `${out === undefined ? 'Made' : `Wrote ${out},`} a bundle v0.3; ${verification === undefined ? 'not verified: give the artifact, and the key' : 'it verifies'}\n`,
  )
  const signatures = verification?.ok === true ? { signatures: [acceptedReport(verification.evidence)] } : {}
  return { subjects: [{ subject, ok: true, ...(out === undefined ? {} : { files: [out] }), ...signatures }] }
}
