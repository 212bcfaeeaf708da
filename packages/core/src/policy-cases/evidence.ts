/** From a case to what a policy is evaluated over, as verification would have proven it. Nothing here is cryptography. */
import { utf8 } from '../bytes.ts'
import { digestHex, type Digest } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'
import type { CompiledPolicy } from '../policy/compile.ts'
import type { PolicyInput } from '../policy/evaluate.ts'
import type { PolicyArtifact } from '../policy/match.ts'
import { readProven, type ProvenItem } from '../policy/proven.ts'
import { parseRevocationList } from '../policy/revocation-list.ts'
import type { RevocationState } from '../policy/revocations.ts'
import type { Primitives } from '../primitives.ts'
import { buildStatement, signaturePredicateType } from '../statement/statement.ts'
import type { Evidence } from '../verify/evidence.ts'
import type { CaseEvidence, CaseList, PolicyCase } from './model.ts'
import { digestOf, signerEvidence } from './signers.ts'

/** What a case needs beside itself. */
export type CaseSurroundings = {
  readonly compiled: CompiledPolicy
  readonly primitives: Primitives
  /** Unix milliseconds, for a case without a moment of its own. */
  readonly nowMs: number
  /** The JSON in a file that a case names, relative to the document of cases. */
  readonly readPredicate: (path: string) => Promise<JsonValue>
}

const day = 86_400_000

/** Makes the input of an evaluation. Throws `policy_malformed` with the place when the case speaks of what the policy does not have. */
export async function caseInput(one: PolicyCase, around: CaseSurroundings): Promise<PolicyInput> {
  const artifact = await artifactOf(one, around.primitives)
  const evidence: ProvenItem[] = []
  const refusals: { source: string; refusal: { code: NonNullable<CaseEvidence['refused']>; detail: string } }[] = []
  for (const [index, item] of one.evidence.entries()) {
    const source = `evidence ${index + 1}`
    if (item.refused === undefined) evidence.push(await proven(item, source, artifact, around))
    else refusals.push({ source, refusal: { code: item.refused, detail: `the case says ${item.refused}` } })
  }
  const nowMs = one.nowMs ?? around.nowMs
  const revocations = new Map<string, RevocationState>()
  for (const name of one.revocations.keys()) {
    if (around.compiled.revocations.some((source) => source.name === name)) continue
    throw new CountersignError('policy_malformed', `${one.path}.revocations: the policy listens to no list ${name}`)
  }
  for (const { name, minVersion, keys } of around.compiled.revocations) {
    const list = one.revocations.get(name) ?? { kind: 'list', expired: false, version: minVersion, entries: [], path: one.path }
    const state = await listState(name, list, nowMs, around)
    if (state !== undefined) revocations.set(name, state.ok ? { ...state, signedBy: keys.map(({ label }) => label) } : state)
  }
  const unreadable = one.unreadable.map((code) => ({ code, detail: `the case says ${code}` }))
  return { artifact, evidence, refusals, unreadable, revocations, nowMs }
}

async function artifactOf({ subject, name, path }: PolicyCase, primitives: Primitives): Promise<PolicyArtifact> {
  if (subject.kind === 'real' || subject.kind === 'real_file')
    throw new CountersignError('policy_malformed', `${path}: ${name} is to be really verified`)
  const { digest: given, mediaType } = subject
  const named = subject.kind === 'image' ? subject.reference.digest : undefined
  const digest = given ?? named ?? (await digestOf('the artifact of a case', primitives))
  const base = { digests: [digest], ...(mediaType === undefined ? {} : { mediaType }) }
  if (subject.kind === 'file') return { kind: 'file', path: subject.path, ...base }
  const { reference, platforms } = subject
  return { kind: 'image', reference, ...base, ...(platforms === undefined ? {} : { platforms }) }
}

async function proven(item: CaseEvidence, source: string, artifact: PolicyArtifact, around: CaseSurroundings): Promise<ProvenItem> {
  const { compiled, primitives } = around
  const digest = item.ofOther ? await digestOf('another artifact', primitives) : (artifact.digests[0] ?? (await digestOf('', primitives)))
  const evidence: Evidence = {
    artifact: digest,
    content: await statementOf(item, digest, around),
    annotations: item.annotations,
    ...(Object.keys(item.terms).length === 0 ? {} : { terms: item.terms }),
    algorithm: 'PKIX_ECDSA_P256_SHA_256',
    signer: await signerEvidence(item.signer, item.path, compiled, primitives),
    log: item.logged ? [{ baseUrl: 'https://log.example', logIndex: 0, proof: ['inclusion_proof'] }] : [],
    times: item.signedMs === undefined ? [] : [{ source: 'timestamp', timeMs: item.signedMs, authority: 'the case' }],
    checks: [],
    waivers: [],
  }
  return readProven(evidence, source, primitives)
}

const nothing = { kind: 'value', value: {} } as const

async function statementOf(item: CaseEvidence, digest: Digest, { readPredicate }: CaseSurroundings): Promise<Evidence['content']> {
  const { predicateType, predicate } = item.attestation ?? { predicateType: signaturePredicateType, predicate: nothing }
  const value = predicate.kind === 'file' ? await readPredicate(predicate.path) : predicate.value
  const subjects = [{ digest: { sha256: digestHex(digest) } }]
  const payload = buildStatement({ version: '1', subjects, predicateType, predicate: utf8(JSON.stringify(value)) })
  return { kind: 'statement', predicateType, payload }
}

/** A list of a case is in force without signatures: the case says that it is. */
async function listState(name: string, list: CaseList, nowMs: number, around: CaseSurroundings): Promise<RevocationState | undefined> {
  if (list.kind === 'missing') return undefined
  const document = {
    apiVersion: 'countersign.dev/v1',
    kind: 'RevocationList',
    name,
    version: list.version,
    issued: new Date(nowMs - 2 * day).toISOString(),
    expires: new Date(nowMs + (list.expired ? -day : day)).toISOString(),
    entries: await withFingerprints(list.entries, list.path, around),
  }
  const read = parseRevocationList(utf8(JSON.stringify(document)))
  if (!list.expired) return { ok: true, list: read, signedBy: [] }
  return { ok: false, code: 'revocation_list_expired', detail: `revocations ${name}: the list has expired`, list: read }
}

/** `target: {identity: NAME, key: N}` is the key of that identity: whoever writes a case need not know fingerprints. */
async function withFingerprints(entries: JsonValue, path: string, { compiled, primitives }: CaseSurroundings): Promise<JsonValue> {
  if (!Array.isArray(entries)) return entries
  return Promise.all(
    (entries as readonly JsonValue[]).map(async (entry): Promise<JsonValue> => {
      const target = isRecord(entry) ? entry['target'] : undefined
      if (!isRecord(entry) || !isRecord(target) || target['identity'] === undefined) return entry
      const { identity, key = 0 } = target
      const signer = { kind: 'identity', name: typeof identity === 'string' ? identity : '', key: Number(key) } as const
      const found = await signerEvidence(signer, path, compiled, primitives)
      const revoked = found.kind === 'key' ? { key: found.fingerprint } : { certificate: { issuer: found.issuer, subject: found.subject } }
      return { ...entry, target: revoked }
    }),
  )
}

function isRecord(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
