/** Policy files: YAML or JSON text to a policy, with file, line and column in every failure. */
import { compilePolicy, type CompiledPolicy, type CompileOptions } from '@countersign/core/policy/compile'
import { parsePolicy } from '@countersign/core/policy/document'
import { readSourceDocument } from '../document/source.ts'

const maxCharacters = 1024 * 1024

/**
 * Reads and compiles a policy. `name` is how messages call the file. YAML 1.2 without aliases and tags; JSON is a part of it.
 * Throws `policy_malformed` as `NAME:LINE:COLUMN: what`, `trust_missing` for a key that the policy asks for and that was not given.
 */
export async function loadPolicy(text: string, name: string, options: CompileOptions): Promise<CompiledPolicy> {
  return (await openPolicy(text, name, options)).policy
}

/** A compiled policy, and where in its file a path of the document is, as `NAME:LINE:COLUMN`. Throws as {@link loadPolicy}. */
export async function openPolicy(
  text: string,
  name: string,
  options: CompileOptions,
): Promise<{ readonly policy: CompiledPolicy; readonly placeOf: (path: string) => string }> {
  const { value, placeOf, located } = await readSourceDocument(text, name, { code: 'policy_malformed', maxCharacters })
  try {
    return { policy: await compilePolicy(parsePolicy(value), options), placeOf }
  } catch (cause) {
    throw located(cause)
  }
}
