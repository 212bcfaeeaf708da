import { findImages } from '@countersign/sdk/manifests/find'
import { describe, expect, it } from 'vitest'
import { mentioned, refusalOf } from './mentioned.ts'

const object = (kind: string, spec: string, apiVersion = 'v1'): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: it }\nspec: ${spec}\n`
const podSpec = '{ containers: [{ image: app:1 }] }'

describe('an image of Kubernetes is found', () => {
  it.for([
    ['Pod', podSpec, 'spec.containers[0].image'],
    ...['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'ReplicationController', 'Job'].map((kind) => [
      kind,
      `{ template: { spec: ${podSpec} } }`,
      'spec.template.spec.containers[0].image',
    ]),
    ['CronJob', `{ jobTemplate: { spec: { template: { spec: ${podSpec} } } } }`, 'spec.jobTemplate.spec.template.spec.containers[0].image'],
    ['Rollout', `{ template: { spec: ${podSpec} } }`, 'spec.template.spec.containers[0].image'],
    ['Cluster', `{ a: { b: [{ c: ${podSpec} }] } }`, 'spec.a.b[0].c.containers[0].image'],
  ])('in a %s', async ([kind = '', spec = '', path = '']) => {
    expect(await mentioned(object(kind, spec), 'x.yaml')).toEqual([`${path} app:1`])
  })

  it('in init containers, ephemeral containers and image volumes (PodSpec; KEP-4639)', async () => {
    const spec =
      '{ initContainers: [{ image: a }], ephemeralContainers: [{ image: b }], volumes: [{ image: { reference: c } }, { emptyDir: {} }] }'
    expect(await mentioned(object('Pod', spec), 'x.yaml')).toEqual([
      'spec.initContainers[0].image a',
      'spec.ephemeralContainers[0].image b',
      'spec.volumes[0].image.reference c',
    ])
  })

  it('in a PodTemplate, which has no spec of its own', async () => {
    const text = `apiVersion: v1\nkind: PodTemplate\ntemplate: { spec: ${podSpec} }\n`
    expect(await mentioned(text, 'x.yaml')).toEqual(['template.spec.containers[0].image app:1'])
  })

  it('in every document, in the items of a List, and in JSON', async () => {
    const list = `apiVersion: v1\nkind: List\nitems: [{ apiVersion: v1, kind: Pod, metadata: { name: p }, spec: ${podSpec} }]\n`
    const { images } = await findImages(`---\n${object('Pod', podSpec)}---\n# nothing\n---\n${list}`, 'x.yaml')
    expect(images.map(({ object: of, path }) => `${of ?? ''} ${path}`)).toEqual([
      'Pod/it spec.containers[0].image',
      'Pod/p spec.containers[0].image',
    ])
    const json = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ image: 'j:1' }] } })
    expect(await mentioned(json, 'x.json')).toEqual(['spec.containers[0].image j:1'])
  })

  it('by the steps and templates of Tekton and Argo, and where a custom resource names one outright', async () => {
    const spec =
      '{ steps: [{ image: t/step:1 }], templates: [{ container: { image: a/c:1 }, script: { image: a/s:1 } }], image: quay.io/x/y:2, sideImage: side:3, icon: { image: logo.png } }'
    expect(await mentioned(object('Task', spec, 'tekton.dev/v1'), 'x.yaml')).toEqual([
      'spec.steps[0].image t/step:1',
      'spec.templates[0].container.image a/c:1',
      'spec.templates[0].script.image a/s:1',
      'spec.image quay.io/x/y:2',
      'spec.sideImage side:3',
    ])
  })

  it.for([
    ['HelmRelease', 'helm.toolkit.fluxcd.io/v2'],
    ['Application', 'argoproj.io/v1alpha1'],
    ['Kustomization', 'kustomize.config.k8s.io/v1beta1'],
  ])('not in a %s, which is said: what it renders to is elsewhere', async ([kind = '', apiVersion = '']) => {
    const [found] = await mentioned(object(kind, '{ chart: x }', apiVersion), 'x.yaml')
    expect(found).toMatch(/what it renders to is not in this file/)
  })

  it('with its line, column and place in the text, without its quotes', async () => {
    const text = 'apiVersion: v1\r\nkind: Pod\r\nspec:\r\n  containers:\r\n  - {image: "ü/app:1"}\r\n  - image: >-\r\n      folded:2\r\n'
    const { images } = await findImages(text, 'x.yaml')
    expect(images.map(({ line, column, start, end }) => [line, column, text.slice(start, end)])).toEqual([
      [5, 14, 'ü/app:1'],
      [7, 7, 'folded:2'],
    ])
  })

  it('through an alias and a merge key, once for each place', async () => {
    const spec = '{ a: &a { image: shared:1 }, containers: [*a, { <<: *a, name: b }] }'
    expect(await mentioned(object('Pod', spec), 'x.yaml')).toEqual(['spec.containers[0].image shared:1'])
  })
})

describe('what Kubernetes would not run is not passed over', () => {
  it.for([
    ['an empty image', '{ containers: [{ image: "" }] }'],
    ['a null', '{ containers: [{ image: }] }'],
    ['a mapping', '{ containers: [{ image: { a: b } }] }'],
  ])('%s cannot be told', async ([, spec = '']) => {
    const [mention = ''] = await mentioned(object('Pod', spec), 'x.yaml')
    expect(mention.endsWith('?')).toBe(true)
  })

  it('text in a ConfigMap is no image', async () => {
    expect(await mentioned('apiVersion: v1\nkind: ConfigMap\ndata: { image: x/y:1, pod: "containers: [{image: z}]" }\n', 'x.yaml')).toEqual(
      [],
    )
  })
})

describe('hostile YAML is refused', () => {
  it('an attacker who gives a name twice, so that readers choose different values', async () => {
    expect(await refusalOf(object('Pod', '{ containers: [{ image: good:1, image: evil:1 }] }'), 'x.yaml')).toMatch(
      /^file_malformed: x\.yaml:4:\d+: the name "image" is given twice/,
    )
  })

  it('an attacker who merges over an image: Kubernetes takes the merged one, others the one above it', async () => {
    const spec = '{ a: &evil { image: evil:1 }, containers: [{ image: good:1, <<: *evil }] }'
    expect(await refusalOf(object('Pod', spec), 'x.yaml')).toMatch(/^file_malformed.*readers do not agree/)
    const first = '{ a: &base { image: base:1, name: b }, containers: [{ <<: *base, image: good:1 }] }'
    expect(await mentioned(object('Pod', first), 'x.yaml')).toEqual(['spec.containers[0].image good:1'])
  })

  it('an image in base64, which Kubernetes decodes', async () => {
    expect(await refusalOf(object('Pod', '{ containers: [{ image: !!binary ZXZpbA== }] }'), 'x.yaml')).toMatch(/^file_malformed/)
    expect(await mentioned(object('Pod', '{ containers: [{ image: !!str app:1 }] }'), 'x.yaml')).toEqual(['spec.containers[0].image app:1'])
  })

  it('a thousand laughs: aliases that make a great value of a small file', async () => {
    const lines = Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}, *a${at}, *a${at}]`)
    const bomb = `apiVersion: v1\nkind: Pod\na0: &a0 { containers: [{ image: x }] }\n${lines.join('\n')}\n`
    expect(await refusalOf(bomb, 'x.yaml')).toMatch(/^limit_exceeded/)
  })

  it('merge keys that do the same', async () => {
    const keys = Array.from({ length: 2_000 }, (_, at) => `k${at}: 1`).join(', ')
    const merges = Array.from({ length: 2_000 }, (_, at) => `m${at}: { <<: *base, own: ${at} }`)
    expect(await refusalOf(`base: &base { ${keys} }\n${merges.join('\n')}\n`, 'x.yaml')).toMatch(/^limit_exceeded/)
  })

  it.for([
    ['nests beyond every stack', '['.repeat(50_000), /^limit_exceeded/],
    ['nests more than 200 levels', `${'['.repeat(300)}${']'.repeat(300)}`, /^limit_exceeded/],
    ['is longer than the bound', `a: ${'x'.repeat(8 * 1024 * 1024)}`, /^limit_exceeded/],
    ['has more values than its reader has time for', `[${'a,'.repeat(600_000)}]`, /^limit_exceeded/],
    ['names an anchor that is not there', 'a: *nobody', /^file_malformed: x\.yaml:1:4/],
    ['is an alias of itself', 'a: &a [*a]', /^file_malformed/],
    ['has a mapping as a name', '{ { a: b }: c }', /^file_malformed/],
    ['does not parse', 'a: "b', /^file_malformed: x\.yaml:1:/],
    ['holds nothing', '# nothing\n', /^file_malformed: x\.yaml: this is no file that names images/],
  ] as const)('what %s', async ([, text, refusal]) => {
    expect(await refusalOf(text, 'x.yaml')).toMatch(refusal)
  })

  it('more images than anybody deploys', async () => {
    const containers = Array.from({ length: 10_001 }, (_, at) => `{ image: "a:${at}" }`).join(', ')
    expect(await refusalOf(object('Pod', `{ containers: [${containers}] }`), 'x.yaml')).toMatch(/^limit_exceeded.*too many images/)
  })

  it('a name of JavaScript is a name like any other', async () => {
    expect(
      await mentioned(
        object('Pod', '{ __proto__: { containers: [{ image: a }] }, constructor: { containers: [{ image: b }] } }'),
        'x.yaml',
      ),
    ).toEqual(['spec.__proto__.containers[0].image a', 'spec.constructor.containers[0].image b'])
  })
})
