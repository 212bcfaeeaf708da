/** Policy files: YAML or JSON text to a policy, with file, line and column in every failure. */
import { compilePolicy, type CompiledPolicy, type CompileOptions } from '@countersign/core/policy/compile'
import { parsePolicy } from '@countersign/core/policy/document'
import { certificateFilesOf } from '@countersign/core/policy/own-certificates'
import { readSourceDocument, type SourceDocument } from '../document/source.ts'

const maxCharacters = 1024 * 1024

/** What compiling a policy file needs beside it. */
export type PolicyFileOptions = CompileOptions & {
  /** Gives the text of a file that the policy takes certificates from, named as the policy names it; without it such a policy is refused. */
  readonly readFile?: (name: string) => Promise<string>
}

/**
 * Reads and compiles a policy. `name` is how messages call the file. YAML 1.2 without aliases and tags; JSON is a part of it.
 * Throws `policy_malformed` as `NAME:LINE:COLUMN: what`, `trust_missing` for a key that the policy asks for and that was not given.
 */
export async function loadPolicy(text: string, name: string, options: PolicyFileOptions): Promise<CompiledPolicy> {
  return (await openPolicy(text, name, options)).policy
}

/** A compiled policy, and where in its file a path of the document is, also as `NAME:LINE:COLUMN`. Throws as {@link loadPolicy}. */
export async function openPolicy(
  text: string,
  name: string,
  options: PolicyFileOptions,
): Promise<{ readonly policy: CompiledPolicy } & Pick<SourceDocument, 'lineOf' | 'placeOf'>> {
  const { value, lineOf, placeOf, located } = await readSourceDocument(text, name, { code: 'policy_malformed', maxCharacters })
  try {
    const document = parsePolicy(value)
    const certificates = new Map(options.certificates)
    if (options.readFile !== undefined) {
      for (const file of certificateFilesOf(document.identities.values())) certificates.set(file, await options.readFile(file))
    }
    return { policy: await compilePolicy(document, { ...options, certificates }), lineOf, placeOf }
  } catch (cause) {
    throw located(cause)
  }
}
