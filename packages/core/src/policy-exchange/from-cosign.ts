/** A command line of cosign, `verify …` or `verify-attestation …`, to a policy. */
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { parseReference } from '../oci/reference.ts'
import { addIdentity, addRule, type Draft } from './draft.ts'
import { nameOfArc } from './keyless.ts'
import { keyName } from './keys.ts'
import type { LossLog } from './losses.ts'
import { fromSearch, nameJson } from './names.ts'

/** Flags without a value; every other one takes the next word. */
const switches: ReadonlySet<string> = new Set(
  'insecure-ignore-tlog private-infrastructure insecure-ignore-sct use-signed-timestamps check-claims offline local-image allow-http-registry allow-insecure-registry experimental-oci11 new-bundle-format k8s-keychain verbose sk'.split(
    ' ',
  ),
)
const workflowArcs: Readonly<Record<string, string>> = { trigger: '2', sha: '3', name: '4', repository: '5', ref: '6' }
const without: ReadonlySet<string> = new Set([
  'certificate-chain',
  'cert-chain',
  'ca-roots',
  'ca-intermediates',
  'trusted-root',
  'sct',
  'timestamp-certificate-chain',
])

type Flags = ReadonlyMap<string, readonly string[]>

/** Splits a command line at blanks; quotes hold words together as in a shell. Throws `policy_malformed` for a quote that never ends. */
export function words(line: string): readonly string[] {
  const tokens = line.replaceAll('\\\n', ' ').match(/(?:[^\s"']+|"(?:[^"\\]|\\.)*"|'[^']*')+|["']/g) ?? []
  return tokens.map((token) => {
    if (token === '"' || token === "'") throw new CountersignError('policy_malformed', 'a quote in the command line never ends')
    return token.replaceAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_all, double: string | undefined, single: string | undefined) =>
      double === undefined ? (single ?? '') : double.replaceAll(/\\(.)/g, '$1'),
    )
  })
}

/** Adds what the command demands to the draft. `images` speaks where the command names none. Throws `policy_malformed`. */
export function fromCosign(line: string, images: readonly string[], draft: Draft, log: LossLog): void {
  const [first, ...others] = words(line)
  const verb = first === 'cosign' || first === 'countersign' ? others[0] : first
  if (verb !== 'verify' && verb !== 'verify-attestation')
    throw new CountersignError('policy_malformed', 'not a command that verifies images', {
      expected: 'verify … or verify-attestation …',
      found: verb ?? '',
    })
  const { flags, subjects } = parse(verb === first ? others : others.slice(1))
  const named = subjects.map((subject) => {
    const { place } = parseReference(subject)
    if (place.kind !== 'registry') throw new CountersignError('policy_malformed', `${subject} is in no registry`)
    return `${place.registry}/${place.repository}`
  })
  const globs = images.length > 0 ? images : named
  if (globs.length === 0) throw new CountersignError('policy_malformed', 'the command names no image', { hint: 'Give --image GLOB.' })
  const by = signerOf(flags, draft, log)
  const logged = !flags.has('insecure-ignore-tlog') && !flags.has('private-infrastructure')
  const keyed = flags.has('key')
  if (!logged && !keyed) log.stricter('--insecure-ignore-tlog', 'certificates of Fulcio count only with a log entry here')
  for (const name of ['insecure-ignore-sct', 'check-claims'])
    if (flags.has(name) && flags.get(name)?.[0] !== (name === 'check-claims' ? 'true' : 'false'))
      log.stricter(`--${name}`, 'is always checked here')
  if (flags.has('use-signed-timestamps'))
    log.weaker('--use-signed-timestamps', 'a timestamp of an authority is demanded there; here a time that a log proves counts too')
  notes(flags, log)
  const time = { ...(logged || !keyed ? { logged: true } : {}), ...(flags.has('use-signed-timestamps') ? { time: 'required' } : {}) }
  if (verb === 'verify') {
    const annotations = annotationsOf(flags)
    const signed = Object.keys(annotations).length === 0 ? {} : { annotations }
    return addRule(draft, { name: 'signed', images: globs, decision: 'deny', body: { signature: { by, ...time, ...signed } } })
  }
  if (flags.has('policy')) log.weaker('--policy', 'a condition in CUE or Rego')
  const type = flags.get('type')?.at(-1) ?? 'custom'
  addRule(draft, { name: 'attested', images: globs, decision: 'deny', body: { attestation: { type, by, ...time } } })
}

function parse(tokens: readonly string[]): { readonly flags: Flags; readonly subjects: readonly string[] } {
  const flags = new Map<string, string[]>()
  const subjects: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? ''
    const match = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(token)
    if (match === null) subjects.push(token)
    else {
      const name = { a: 'annotations', t: 'timeout', d: 'verbose' }[match[1] ?? ''] ?? match[1] ?? ''
      const value = match[2] ?? (switches.has(name) ? 'true' : tokens[(at += 1)])
      if (value === undefined) throw new CountersignError('policy_malformed', `--${name} has no value`)
      if (value !== 'false' || name === 'check-claims') flags.set(name, [...(flags.get(name) ?? []), value])
    }
  }
  return { flags, subjects }
}

function signerOf(flags: Flags, draft: Draft, log: LossLog): JsonValue {
  const key = flags.get('key')?.at(-1)
  if (key !== undefined) {
    const name = keyName(key)
    if (name !== key) log.note('--key', `verify with --key ${name}, a file with the public key of ${key}`)
    return addIdentity(draft, name.replace(/\.(?:pub|pem)$/, ''), { keys: [{ name }] })
  }
  const nameOf = (flag: string): JsonValue => {
    const [exact, pattern] = [flags.get(flag)?.at(-1), flags.get(`${flag}-regexp`)?.at(-1)]
    if (pattern === undefined && exact === undefined)
      throw new CountersignError('policy_malformed', `the command names neither --key nor --${flag}`)
    if (pattern !== undefined && !/^\^.*\$$/s.test(pattern))
      log.note(`--${flag}-regexp`, 'the pattern is not anchored: every name that contains it is accepted, there and here')
    return pattern === undefined ? (exact ?? '') : nameJson(fromSearch(pattern))
  }
  const extensions: Record<string, string> = {}
  for (const [name, arc] of Object.entries(workflowArcs)) {
    const value = flags.get(`certificate-github-workflow-${name}`)?.at(-1)
    if (value !== undefined) extensions[nameOfArc(arc)] = value
  }
  const certificate: JsonObject = {
    issuer: nameOf('certificate-oidc-issuer'),
    subject: nameOf('certificate-identity'),
    ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  }
  return addIdentity(draft, 'signer', { certificate })
}

function annotationsOf(flags: Flags): Readonly<Record<string, string>> {
  const pairs = (flags.get('annotations') ?? []).flatMap((list) => list.split(','))
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new CountersignError('policy_malformed', `--annotations ${pair} is no KEY=VALUE`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

function notes(flags: Flags, log: LossLog): void {
  for (const name of flags.keys()) {
    if (without.has(name)) log.note(`--${name}`, 'whom to trust is said with --trusted-root')
    if (name === 'signature' || name === 'payload') log.note(`--${name}`, 'a policy looks at every signature of the image')
    if (/^(?:registry|allow-|k8s|attachment-tag-prefix|rekor-url|timeout)/.test(name))
      log.note(`--${name}`, 'is said when verifying, not in the policy')
  }
}
