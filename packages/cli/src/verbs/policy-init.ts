/** `countersign policy init`. */
import { basename } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject } from '@countersign/core/json/parse'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { keysPolicy, type PolicyRequest, type Publisher, publisherPolicy } from '@countersign/core/policy-exchange/publisher'
import { loadPublicKey } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import { writeYaml } from '@countersign/sdk/policy/write'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { writePolicy } from './policy-output.ts'

/** Makes the policy, checks it, and writes it. Throws `usage`, `file_exists`, and the failures of keys. */
export async function initPolicy(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const request: PolicyRequest = {
    name: flags.text('name') ?? 'publisher',
    images: flags.list('image'),
    files: flags.list('file'),
    attestations: flags.list('attestation'),
  }
  // A key that a variable names for other verbs is not meant here, where a repository is typed.
  const named = ['github', 'gitlab', 'key'].filter((name) => flags.list(name).length > 0)
  const typed = named.filter((name) => flags.source(name) === 'flag')
  const ways = typed.length > 0 ? typed : named
  if (ways.length !== 1) {
    throw new CountersignError('usage', ways.length === 0 ? 'it is not said who signs' : `--${ways.join(' and --')} are two policies`, {
      expected: 'one of --github ORG/REPO, --gitlab GROUP/PROJECT and --key FILE',
    })
  }
  const policy = ways[0] === 'key' ? await ofKeys(invocation, request) : publisherPolicy(publisherOf(invocation), request)
  return writePolicy(invocation, await writeYaml([policy]), { what: 'policy', fallback: 'policy.yaml' })
}

async function ofKeys({ flags, terminal }: Invocation, request: PolicyRequest): Promise<JsonObject> {
  const pipeline = ['workflow', 'branch', 'tag', 'event', 'runner', 'url', 'issuer'].find((name) => flags.list(name).length > 0)
  if (pipeline !== undefined) throw new CountersignError('usage', `--${pipeline} belongs to --github or --gitlab, not to --key`)
  const io = nodeKeyIo(terminal.environment)
  const keys = new Map<string, string>()
  for (const label of flags.list('key')) {
    const name = basename(label)
      .replace(/\.(?:pub|pem)$/, '')
      .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    if (keys.has(name)) throw new CountersignError('usage', `two keys are called ${name}`, { hint: 'Give each file a name of its own.' })
    keys.set(name, encodePublicKeyPem(await inFile(label, () => loadPublicKey(label, io))))
  }
  return keysPolicy(keys, Number(flags.text('threshold') ?? '1'), request)
}

const forges = {
  github: { url: 'https://github.com', issuer: 'https://token.actions.githubusercontent.com' },
  gitlab: { url: 'https://gitlab.com', issuer: 'https://gitlab.com' },
} as const

function publisherOf({ flags }: Invocation): Publisher {
  if (flags.text('threshold') !== undefined) throw new CountersignError('usage', '--threshold belongs to --key')
  const forge = flags.text('github') === undefined ? 'gitlab' : 'github'
  const [branch, tag] = [flags.text('branch'), flags.text('tag')]
  if ((branch === undefined) === (tag === undefined)) {
    throw new CountersignError('usage', 'it is not said which builds are accepted', { expected: 'one of --branch NAME and --tag GLOB' })
  }
  const url = (flags.text('url') ?? forges[forge].url).replace(/\/+$/, '')
  const own = flags.text('url') !== undefined && forge === 'gitlab' ? url : forges[forge].issuer
  const runner = flags.text('runner')
  const workflow = flags.text('workflow') ?? (forge === 'gitlab' ? '.gitlab-ci.yml' : undefined)
  if (workflow === undefined) {
    throw new CountersignError('usage', '--workflow is missing', { hint: 'Name the workflow that signs, for example release.yml.' })
  }
  return {
    forge,
    url,
    issuer: flags.text('issuer') ?? own,
    repository: flags.text(forge) ?? '',
    workflow,
    ref: branch === undefined ? { kind: 'tag', name: tag ?? '' } : { kind: 'branch', name: branch },
    events: flags.list('event'),
    ...(runner === undefined ? {} : { runner }),
  }
}
