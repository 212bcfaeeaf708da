/** One signature over many files: an in-toto statement that names each of them. */
import { utf8 } from '@countersign/core/bytes'
import { type Digest, digestHex } from '@countersign/core/digest'
import { serializeEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import { buildStatement, parseStatement, signaturePredicateType } from '@countersign/core/statement/statement'
import { bundleOf, signStatement } from '../sign/own-signature.ts'
import { demandAttestation } from '../sign/plan.ts'
import type { BlobSource } from '../sign/requests.ts'
import type { Signer } from '../sign/signer.ts'
import { hashSource } from './hash.ts'
import type { AttestBlobOptions, AttestedBlob } from './sign.ts'

/** A file, and what the statement calls it: a path with `/`, relative, without `.` and `..`. */
export type NamedFile = { readonly name: string; readonly source: BlobSource }

/** A file by its name and SHA-256. */
type HashedFile = { readonly name: string; readonly digest: Digest }

/** An attestation of many files; `digest` is that of the first. */
export type AttestedFiles = AttestedBlob & Pick<SignedFiles, 'files'>

/** What was signed. */
export type SignedFiles = {
  /** Sorted by name. */
  readonly files: readonly HashedFile[]
  /** Sigstore bundle v0.3, JSON. */
  readonly bundle: Uint8Array
}

/** Most files of one signature, as readers of statements take. */
export const maxSignedFiles: number = 100_000

const maxNameCharacters = 1024

/**
 * Signs many files at once: each is read once, as a stream, and the statement (`https://sigstore.dev/cosign/sign/v1`, SHA-256) names all of them.
 * `verifyBlob` accepts the bundle for each of the files, and so does `cosign verify-blob-attestation`. The signature says which bytes were
 * signed; a verifier finds its file by digest, and the names are for people.
 *
 * Throws `usage` for a name that is no relative path, is given twice, or for no file at all; `limit_exceeded` beyond 100,000 files; what reading
 * throws, and what the signer throws.
 *
 * @example
 * ```ts
 * const files = ['app.zip', 'app.tar.gz'].map((name) => ({ name, source: fileBlobSource(name) }))
 * const { bundle } = await signFiles(files, signer)
 * ```
 */
export async function signFiles(files: readonly NamedFile[], signer: Signer | Promise<Signer>): Promise<SignedFiles> {
  const loading = Promise.resolve(signer)
  loading.catch(() => undefined)
  const sorted = await hashFiles(files)
  const statement = buildStatement({
    version: '1',
    subjects: sorted.map(asSubject),
    predicateType: signaturePredicateType,
    predicate: utf8('{}'),
  })
  const ready = await loading
  const envelope = await signStatement(statement, ready)
  return { files: sorted, bundle: await bundleOf({ kind: 'dsse', envelope }, ready) }
}

/**
 * Attests something about many files at once: one statement (in-toto v0.1, as {@link attestBlob} writes it) names all of them; a whole statement is
 * signed verbatim if it names each. Throws as {@link signFiles}, `subject_mismatch`, and `usage` when it claims to be a signature.
 */
export async function attestFiles(
  files: readonly NamedFile[],
  { source, signer }: Pick<AttestBlobOptions, 'source' | 'signer'>,
): Promise<AttestedFiles> {
  const sorted = await hashFiles(files)
  const statement =
    source.kind === 'statement'
      ? source.statement
      : buildStatement({
          version: '0.1',
          subjects: sorted.map(asSubject),
          predicateType: source.predicateType,
          predicate: source.predicate,
        })
  const parsed = parseStatement(statement)
  demandAttestation(parsed)
  const named = new Set(parsed.subjects.map(({ digest }) => digest['sha256']))
  const missing = sorted.find(({ digest }) => !named.has(digestHex(digest)))
  if (missing !== undefined)
    throw new CountersignError('subject_mismatch', `the statement does not name ${missing.name}`, { expected: missing.digest })
  const ready = await signer
  const envelope = await signStatement(statement, ready)
  const bundle = await bundleOf({ kind: 'dsse', envelope }, ready)
  return { files: sorted, digest: (sorted[0] as HashedFile).digest, bundle, statement, envelope: serializeEnvelope(envelope) }
}

/** Each file once, read as a stream; sorted by name. */
async function hashFiles(files: readonly NamedFile[]): Promise<readonly HashedFile[]> {
  demandNames(files)
  const hashed: HashedFile[] = []
  for (const { name, source } of files) hashed.push({ name, digest: await demandHash(source) })
  return hashed.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function asSubject({ name, digest }: HashedFile): { readonly name: string; readonly digest: Readonly<Record<string, string>> } {
  return { name, digest: { sha256: digestHex(digest) } }
}

async function demandHash(source: BlobSource): Promise<Digest> {
  const digest = await hashSource(source, 'sha256')
  if (digest === undefined) throw new CountersignError('internal', 'hashing ended early')
  return digest
}

function demandNames(files: readonly NamedFile[]): void {
  if (files.length === 0)
    throw new CountersignError('usage', 'there is no file to sign', { hint: 'Name files, or a folder that holds some.' })
  if (files.length > maxSignedFiles)
    throw new CountersignError('limit_exceeded', `${files.length} files are too many for one signature`, {
      expected: `at most ${maxSignedFiles}`,
    })
  const seen = new Set<string>()
  for (const { name } of files) {
    const parts = name.split('/')
    const relative = !/^[A-Za-z]:|\\|\p{Cc}/u.test(name) && !parts.some((part) => part === '' || part === '.' || part === '..')
    if (!relative || name.length > maxNameCharacters)
      throw new CountersignError('usage', 'a file cannot be named so in a signature', {
        expected: `a relative path of at most ${maxNameCharacters} printable characters`,
        found: JSON.stringify(name.slice(0, 120)),
      })
    if (seen.has(name))
      throw new CountersignError('usage', `two files are called ${JSON.stringify(name.slice(0, 120))}`, {
        hint: 'Name each file once; run from the folder that holds all of them, so that their paths differ.',
      })
    seen.add(name)
  }
}
