import { CountersignError } from '@countersign/core/failure'
import { formatReference } from '@countersign/core/oci/reference'
import { readBatchManifest } from '@countersign/sdk/batch/manifest'
import { type BatchItem, otherTypes } from '@countersign/sdk/batch/model'
import { describe, expect, it } from 'vitest'

async function failure(text: string): Promise<string> {
  try {
    await readBatchManifest(text, 'batch.yaml', 'dir')
    return 'read'
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return `${cause.code} ${cause.message}`
  }
}

function brief(item: BatchItem): string {
  switch (item.kind) {
    case 'container':
      return `container ${formatReference(item.image)}`
    case 'file':
      return `file ${item.path} ${item.evidence.kind === 'files' ? item.evidence.paths.join(',') : 'beside'}`
    case 'failed':
      return `failed ${item.type} ${item.failure.code}`
    case 'skipped':
      return `skipped ${item.reason}`
    default:
      return item
  }
}

const good = `
version: 1
defaults: { public_key: team.pub, trustRoot: root.json }
artifacts:
  - { type: container, image: registry.example/app:1 }
  - { type: container, image: "oci:layout:1", signature: app.sig }
  - { type: file, path: dist/app.zip }
  - { path: /abs/app.zip, bundle: app.json, public_key: [a.pub, "env://KEY"] }
  - type: file
    path: x
    identity: { issuer: https://issuer.example, subject: { glob: "*@team.example" } }
  - { type: container, image: "not a reference" }
`

describe('a batch manifest', () => {
  it('names images and files, with paths relative to itself', async () => {
    const items = await readBatchManifest(good, 'dir/batch.yaml', 'dir')
    expect(items.map(brief)).toEqual([
      'container registry.example/app:1',
      'container oci:dir/layout:1',
      'file dir/dist/app.zip beside',
      'file /abs/app.zip dir/app.json',
      'file dir/x beside',
      'failed container reference_malformed',
    ])
    expect(items[1]).toMatchObject({ evidence: 'dir/app.sig' })
  })

  it('has defaults; an entry that says who signed takes the place of the default, whichever of the two it names', async () => {
    const items = await readBatchManifest(good, 'dir/batch.yaml', 'dir')
    expect(items[0]?.demands).toEqual({ publicKeys: ['dir/team.pub'], trustRoot: 'dir/root.json' })
    expect(items[3]?.demands).toEqual({ publicKeys: ['dir/a.pub', 'env://KEY'], trustRoot: 'dir/root.json' })
    expect(items[4]?.demands).toEqual({
      trustRoot: 'dir/root.json',
      identity: { issuer: { kind: 'exact', value: 'https://issuer.example' }, subject: { kind: 'glob', value: '*@team.example' } },
    })
  })

  it('reads JSON as it reads YAML', async () => {
    const items = await readBatchManifest('{"artifacts":[{"type":"file","path":"a"}]}', 'b.json', '')
    expect(items.map(brief)).toEqual(['file a beside'])
  })

  it.each([
    [
      'a field that nobody knows',
      'artifacts:\n  - { type: file, path: a, publickey: k }',
      'batch_malformed batch.yaml:2:28: $.artifacts[0]: unknown field "publickey"',
    ],
    [
      'the same in JSON',
      '{"artifacts":[\n {"type":"file","path":"a","x":1}]}',
      'batch_malformed batch.yaml:2:28: $.artifacts[0]: unknown field "x"',
    ],
    ['a field of the document that nobody knows', 'polcy: p\nartifacts: []', 'batch_malformed batch.yaml:1:1: $: unknown field "polcy"'],
    ['another version', 'version: 2\nartifacts: []', 'batch_malformed batch.yaml:1:1: $.version: not a version'],
    ['a file without path', 'artifacts:\n  - type: file', 'batch_malformed batch.yaml:2:5: $.artifacts[0]: a file without path'],
    [
      'a container without image',
      'artifacts:\n  - type: container',
      'batch_malformed batch.yaml:2:5: $.artifacts[0].ref: expected a string',
    ],
    [
      'neither type, image nor path',
      'artifacts:\n  - { bundle: b }',
      'batch_malformed batch.yaml:2:5: $.artifacts[0]: an entry without type',
    ],
    [
      'two signatures',
      'artifacts:\n  - { path: a, bundle: b, signature: c }',
      'batch_malformed batch.yaml:2:5: $.artifacts[0]: bundle and signature contradict',
    ],
    [
      'keys and an identity',
      'artifacts:\n  - { path: a, public_key: b, identity: { issuer: i, subject: s } }',
      'batch_malformed batch.yaml:2:31: $.artifacts[0].identity: public_key',
    ],
    [
      'one field in two spellings',
      'artifacts:\n  - { path: a, public_key: b, publicKey: c }',
      'batch_malformed batch.yaml:2:31: $.artifacts[0].publicKey: public_key',
    ],
    ['attack: a key twice', 'artifacts:\n  - { path: a, path: b }', 'batch_malformed batch.yaml:2:16: Map keys must be unique'],
    ['attack: a key twice in JSON', '{"artifacts":[{"path":"a","path":"b"}]}', 'batch_malformed batch.yaml:1:27: Map keys must be unique'],
    ['attack: aliases that grow', 'a: &a [x, x]\nartifacts: [*a, *a]', 'batch_malformed batch.yaml:1:7: anchors and aliases'],
    ['attack: a tag that makes an object', 'artifacts: !!js/function "x"', 'batch_malformed batch.yaml:1:12:'],
    [
      'attack: more entries than can be meant',
      `{"artifacts":[${'{},'.repeat(100_000)}{}]}`,
      'batch_malformed batch.yaml: $.artifacts: 100001 items',
    ],
    ['attack: a million entries', `{"artifacts":[${'1,'.repeat(1_000_000)}1]}`, 'batch_malformed'],
    ['attack: YAML too long to read', `artifacts:\n${'- { path: a }\n'.repeat(300_000)}`, 'batch_malformed batch.yaml: 4200011 characters'],
    ['attack: YAML of a million values', `artifacts:\n${'- a\n'.repeat(1_000_000)}`, 'batch_malformed batch.yaml: too much or too deep'],
    ['attack: YAML that nests without end', `artifacts: ${'['.repeat(1_000_000)}`, 'batch_malformed batch.yaml: too much or too deep'],
    ['attack: lists in lists on one line', `artifacts:\n${'- '.repeat(10_000)}a`, 'batch_malformed batch.yaml: too much or too deep'],
    ['no list', 'artifacts: 1', 'batch_malformed batch.yaml:1:1: $.artifacts: expected an array'],
  ])('is refused with its place: %s', async (_what, text, expected) => {
    expect((await failure(text)).slice(0, expected.length)).toBe(expected)
  })

  it.each([...otherTypes, 'nonsense'])('has one failed item for an entry of type %s, and goes on', async (type) => {
    const items = await readBatchManifest(`artifacts:\n - { type: ${type}, anything: 1, path: p }\n - { path: a }`, 'b.yaml', '')
    expect(items.map(brief)).toEqual([`failed ${type} artifact_type_unsupported`, 'file a beside'])
    expect(items[0]?.subject).toBe('p')
  })

  it('says where each entry is', async () => {
    const items = await readBatchManifest('artifacts:\n - { path: a }\n - { path: b }', 'b.yaml', '')
    expect(items[1]?.at).toEqual({ file: 'b.yaml', path: '$.artifacts[1]', line: 3, column: 4 })
  })
})
