/** `countersign env`. */
import type { Invocation } from '../command/invocation.ts'
import { flagVariables } from '../flags/variables.ts'
import type { Conclusion } from '../report/conclusion.ts'

type Variable = { readonly name: string; readonly what: string; readonly expects: string; readonly secret?: true }

/** Every variable that any verb reads. */
const variables: readonly Variable[] = [
  {
    name: 'COSIGN_PASSWORD',
    what: 'the password of a private key, where COUNTERSIGN_PASSWORD is not set',
    expects: 'a password, which may be empty',
    secret: true,
  },
  { name: 'COSIGN_REPOSITORY', what: 'keeps and finds signatures in another repository', expects: 'registry/repository' },
  { name: 'COUNTERSIGN_IMPORT_PASSWORD', what: 'opens an encrypted key that is imported', expects: 'a password', secret: true },
  { name: 'COUNTERSIGN_PASSWORD', what: 'the password of a private key', expects: 'a password, which may be empty', secret: true },
  { name: 'COUNTERSIGN_PROFILE', what: 'the profile to read flags from', expects: 'a file, or none' },
  { name: 'DOCKER_CONFIG', what: 'the folder of config.json, which holds registry credentials', expects: 'a folder' },
  { name: 'HTTPS_PROXY', what: 'the proxy for https', expects: 'a URL' },
  { name: 'HTTP_PROXY', what: 'the proxy for http', expects: 'a URL' },
  { name: 'NO_COLOR', what: 'turns colours off', expects: 'any value' },
  { name: 'NO_PROXY', what: 'hosts that are reached without a proxy', expects: 'names, separated by commas' },
  { name: 'REGISTRY_AUTH_FILE', what: 'the file that holds registry credentials', expects: 'a file' },
  { name: 'SOURCE_DATE_EPOCH', what: 'the time in predicates of type custom', expects: 'seconds since 1970' },
  { name: 'TUF_MIRROR', what: 'the mirror that "initialize" asks', expects: 'a URL' },
  { name: 'TUF_ROOT', what: 'the folder that "initialize" fills; used for keyless verification only', expects: 'a folder' },
  { name: 'TUF_ROOT_JSON', what: 'the TUF root that "initialize" starts from', expects: 'a file or URL' },
  { name: 'XDG_CONFIG_HOME', what: 'the folder in which countersign/config.yaml is looked for', expects: 'a folder' },
  { name: 'XDG_STATE_HOME', what: 'the folder in which countersign/revocations remembers revocation lists', expects: 'a folder' },
]

const scopes = `
# Every flag below is also read for some verbs alone: COUNTERSIGN_SIGN_KEY for those that sign, COUNTERSIGN_VERIFY_KEY for those that
# verify, COUNTERSIGN_VERIFY_BLOB_KEY for verify-blob. What is typed wins, then the nearest variable, then the profile.
# What weakens a check, overwrites or shows secrets has no variable.
`

/** Prints the variables as lines that a shell can read. */
export async function env({ flags, terminal }: Invocation): Promise<Conclusion> {
  const describe = flags.boolean('show-descriptions', true)
  const reveal = flags.boolean('show-sensitive-values', false)
  const content: Record<string, string> = {}
  for (const { name, what, expects, secret } of variables) {
    const value = terminal.environment[name] ?? ''
    const shown = secret === true && value !== '' && !reveal ? '******' : value
    content[name] = secret === true && value !== '' ? '******' : value
    if (describe) terminal.out(`# ${name}: ${what}\n# Expects: ${expects}\n`)
    terminal.out(`${name}=${shown}\n`)
  }
  if (describe) terminal.out(scopes)
  for (const [name, { flag, help, expects, scoped, verbs }] of await flagVariables()) {
    const value = terminal.environment[name] ?? ''
    if (content[name] !== undefined || (scoped && value === '')) continue
    const secret = /PASSWORD|TOKEN/.test(name) && value !== ''
    content[name] = secret ? '******' : value
    const readers = verbs.length === 0 ? 'every verb' : verbs.length > 6 ? `${verbs.length} verbs` : verbs.join(', ')
    if (describe) terminal.out(`# ${name}: --${flag} of ${readers}: ${help}\n# Expects: ${expects}\n`)
    terminal.out(`${name}=${secret && !reveal ? '******' : value.replaceAll('\n', ' ')}\n`)
  }
  return { subjects: [{ subject: 'environment', ok: true, content }] }
}
