/** Batch manifests: `{version: 1, defaults: {…}, artifacts: [{type, image | path, signature, public_key, …}]}`, YAML or JSON. */
import { CountersignError } from '@countersign/core/failure'
import type { JsonValue } from '@countersign/core/json/parse'
import {
  documentPlace,
  isAbsent,
  items,
  members,
  nonEmptyText,
  openMembers,
  optional,
  type Place,
  refuse,
} from '@countersign/core/json/shape'
import { parseReference } from '@countersign/core/oci/reference'
import { readNameMatch } from '@countersign/core/policy/fields'
import type { IdentityMatch } from '@countersign/core/verify/policy'
import { readSourceDocument, type SourceDocument } from '../document/source.ts'
import { type BatchItem, type ItemDemands, maxBatchItems, otherTypes } from './model.ts'
import { imageWithin, within } from './paths.ts'

const maxCharacters = 64 * 1024 * 1024
/** The reader of YAML needs a hundred times the text. */
const maxYamlCharacters = 4 * 1024 * 1024
const demandFields = ['policy', 'trustRoot', 'trust_root', 'public_key', 'publicKey', 'identity'] as const
const entryFields = ['type', 'image', 'path', 'ref', 'signature', 'bundle', ...demandFields]
const maxKeys = 16
/** Of more entries the path alone says which it is: to find the lines of JSON it must be read again as YAML. */
const maxLines = 2_000

/**
 * Reads a batch manifest. `name` is how messages call the file; `folder` is what its paths are relative to.
 *
 * A field that nobody knows is refused with line and column, since it may be a demand that is misspelt. An entry of a type that is not known
 * or not verified here is one failed item. Throws `batch_malformed`, `limit_exceeded`.
 */
export async function readBatchManifest(text: string, name: string, folder: string): Promise<readonly BatchItem[]> {
  const source = await readSourceDocument(text, name, { code: 'batch_malformed', maxCharacters, maxYamlCharacters })
  try {
    return readEntries(source, name, folder)
  } catch (cause) {
    throw source.located(cause)
  }
}

/** Whether a value is a batch manifest, rather than another document that lists images. */
export function isBatchManifest(value: JsonValue | undefined): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'artifacts') && !Object.hasOwn(value, 'apiVersion')
}

function readEntries(source: SourceDocument, name: string, folder: string): readonly BatchItem[] {
  const field = members(documentPlace(source.value, 'batch_malformed'), ['version', 'defaults', 'artifacts'])
  const { value: version } = field('version')
  if (version !== undefined && version !== 1)
    refuse(field('version'), 'not a version that is read here', { expected: '1', found: JSON.stringify(version).slice(0, 40) })
  const defaults = optional(field('defaults'), (at) => readDemands(members(at, demandFields), folder)) ?? {}
  const entries = items(field('artifacts'), maxBatchItems)
  return entries.map((at) => {
    const item = readEntry(at, folder, { ...defaults })
    return { ...item, at: { file: name, path: at.path, ...(entries.length > maxLines ? undefined : source.lineOf(at.path)) } }
  })
}

function readEntry(at: Place, folder: string, defaults: ItemDemands): BatchItem {
  const open = openMembers(at)
  const type = isAbsent(open('type')) ? impliedType(at) : nonEmptyText(open('type'))
  if (type !== 'container' && type !== 'file') return unsupported(at, type)
  const field = members(at, entryFields)
  const demands = { ...defaults, ...readDemands(field, folder) }
  // Who signed is one demand: naming the one in an entry takes the place of a default that names the other.
  const { identity, publicKeys, ...rest } = demands
  const own = isAbsent(field('identity'))
    ? isAbsent(field('public_key')) && isAbsent(field('publicKey'))
      ? 'default'
      : 'keys'
    : 'identity'
  const signer = {
    ...(publicKeys === undefined || own === 'identity' ? {} : { publicKeys }),
    ...(identity === undefined || own === 'keys' ? {} : { identity }),
  }
  const evidence = optional(oneOfTwo(at, field, 'bundle', 'signature'), nonEmptyText)
  const path = evidence === undefined ? undefined : within(folder, evidence)
  return type === 'container'
    ? containerEntry(at, field, folder, { ...rest, ...signer }, path)
    : fileEntry(at, field, folder, { ...rest, ...signer }, path)
}

type Fields = (name: string) => Place

function containerEntry(at: Place, field: Fields, folder: string, demands: ItemDemands, evidence: string | undefined): BatchItem {
  if (!isAbsent(field('path'))) refuse(field('path'), 'a container is named with image')
  const subject = nonEmptyText(oneOfTwo(at, field, 'image', 'ref'))
  try {
    const image = parseReference(imageWithin(folder, subject))
    return { kind: 'container', subject, image, demands, ...(evidence === undefined ? {} : { evidence }) }
  } catch (failure) {
    if (failure instanceof CountersignError) return { kind: 'failed', type: 'container', subject, demands, failure }
    throw failure
  }
}

function fileEntry(at: Place, field: Fields, folder: string, demands: ItemDemands, evidence: string | undefined): BatchItem {
  for (const name of ['image', 'ref']) if (!isAbsent(field(name))) refuse(field(name), 'a file is named with path')
  if (isAbsent(field('path'))) refuse(at, 'a file without path')
  const subject = nonEmptyText(field('path'))
  return {
    kind: 'file',
    subject,
    path: within(folder, subject),
    demands,
    evidence: evidence === undefined ? { kind: 'beside' } : { kind: 'files', paths: [evidence] },
  }
}

/** What it is, where only one thing can be meant. */
function impliedType(at: Place): 'container' | 'file' {
  const field = openMembers(at)
  const [image, path] = [!isAbsent(field('image')), !isAbsent(field('path'))]
  if (image === path) refuse(at, 'an entry without type', { expected: 'type: container or type: file' })
  return image ? 'container' : 'file'
}

function unsupported(at: Place, type: string): BatchItem {
  const field = openMembers(at)
  const named = ['image', 'path', 'ref'].map((name) => field(name).value).find((value) => typeof value === 'string')
  const known = otherTypes.includes(type)
  const failure = new CountersignError(
    'artifact_type_unsupported',
    known ? `artifacts of type ${type} are not verified here` : `${JSON.stringify(type.slice(0, 60))} is no type of artifact`,
    known ? {} : { expected: 'container or file' },
  )
  return {
    kind: 'failed',
    type: type.slice(0, 60),
    subject: typeof named === 'string' ? named.slice(0, 4096) : at.path,
    demands: {},
    failure,
  }
}

function readDemands(field: Fields, folder: string): ItemDemands {
  const policy = optional(field('policy'), nonEmptyText)
  const trustRoot = optional(eitherSpelling(field, 'trustRoot', 'trust_root'), nonEmptyText)
  const publicKeys = optional(eitherSpelling(field, 'public_key', 'publicKey'), readKeys)
  const identity = optional(field('identity'), readIdentity)
  if (publicKeys !== undefined && identity !== undefined) refuse(field('identity'), 'public_key and identity contradict each other')
  return {
    ...(policy === undefined ? {} : { policy: within(folder, policy) }),
    ...(trustRoot === undefined ? {} : { trustRoot: trustRoot === 'public-good' ? trustRoot : within(folder, trustRoot) }),
    ...(publicKeys === undefined ? {} : { publicKeys: publicKeys.map((key) => (/^[a-z0-9]+:\/\//.test(key) ? key : within(folder, key))) }),
    ...(identity === undefined ? {} : { identity }),
  }
}

function readKeys(at: Place): readonly string[] {
  if (typeof at.value === 'string') return [nonEmptyText(at)]
  const keys = items(at, maxKeys).map(nonEmptyText)
  return keys.length === 0 ? refuse(at, 'no key') : keys
}

/** `{issuer, subject}`, each a name, or `{pattern}` or `{glob}`. */
function readIdentity(at: Place): IdentityMatch {
  const field = members(at, ['issuer', 'subject'])
  return { issuer: readNameMatch(field('issuer')), subject: readNameMatch(field('subject')) }
}

function eitherSpelling(field: Fields, one: string, other: string): Place {
  if (!isAbsent(field(one)) && !isAbsent(field(other))) refuse(field(other), `${one} and ${other} are the same field`)
  return isAbsent(field(one)) ? field(other) : field(one)
}

function oneOfTwo(at: Place, field: Fields, one: string, other: string): Place {
  if (!isAbsent(field(one)) && !isAbsent(field(other))) refuse(at, `${one} and ${other} contradict each other`)
  return isAbsent(field(one)) ? field(other) : field(one)
}
