import { readEnvironmentFile } from '@countersign/sdk/manifests/environment-file'
import { findImages } from '@countersign/sdk/manifests/find'
import { CountersignError } from '@countersign/core/failure'
import { array, assert, asyncProperty, constantFrom } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mentioned, refusalOf } from './mentioned.ts'

it('attack: a Compose file that brings the images of a build itself does not hide them behind the build', async () => {
  const build = `{ dockerfile_inline: "FROM evil.example/a", additional_contexts: { base: "docker-image://evil.example/b", src: ./c } }`
  expect(await mentioned(`services: { a: { build: ${build} } }`, 'compose.yaml')).toEqual([
    expect.stringMatching(/^services\.a\.build .*\(it is built here; verify its Dockerfile\)$/),
    expect.stringMatching(/^services\.a\.build\.dockerfile_inline FROM evil\.example\/a \(a Dockerfile inside/),
    expect.stringMatching(/^services\.a\.build\.additional_contexts\.base docker-image:\/\/evil\.example\/b \(an image/),
  ])
  const listed = `{ context: ., additional_contexts: ["base=docker-image://evil.example/b"] }`
  const { images } = await findImages(`services: { a: { build: ${listed} } }`, 'compose.yaml')
  expect(images.filter(({ unresolved }) => unresolved).map(({ text }) => text)).toEqual(['base=docker-image://evil.example/b'])
})

it('attack: an image list of empty lines takes no more time than reading it', async () => {
  const begun = performance.now()
  const { images } = await findImages(`r.example/a:1${'\n'.repeat(1_000_000)}`, 'images.txt')
  expect(images.map(({ text }) => text)).toEqual(['r.example/a:1'])
  expect(performance.now() - begun).toBeLessThan(10_000)
})

describe('the kind of a file is told', () => {
  it.for([
    ['Dockerfile', 'FROM a\n', 'dockerfile'],
    ['sub/Containerfile.arm', 'FROM a\n', 'dockerfile'],
    ['web.dockerfile', 'FROM a\n', 'dockerfile'],
    ['build', '# comment\n\nARG A=1\nFROM a\n', 'dockerfile'],
    ['images.txt', '# list\nnginx:1\n\nquay.io/a@sha256:' + 'a'.repeat(64) + ' # pinned\n', 'image-list'],
    ['list.json', '["a:1"]', 'image-list'],
    ['list.yaml', '- a:1\n- b:2\n', 'image-list'],
    ['x.yaml', 'apiVersion: v1\nkind: Pod\n', 'kubernetes'],
    ['-', '---\n# Source: chart/templates/pod.yaml\napiVersion: v1\nkind: Pod\n', 'kubernetes'],
    ['x.yaml', 'services: {}\n', 'compose'],
    ['docker-compose.prod.yml', 'include: [a.yaml]\n', 'compose'],
    ['values.yaml', 'image: { repository: a, tag: b }\n', 'helm-values'],
  ])('%s %j: %s', async ([file = '', text = '', kind = '']) => {
    expect((await findImages(text, file)).kind).toBe(kind)
  })

  it('and can be said; then it is believed', async () => {
    expect(await mentioned('services: { a: { image: x } }', 'x.yaml', {}, 'compose')).toEqual(['services.a.image x'])
    expect(await refusalOf('a b\n', 'x', 'image-list')).toMatch(/^file_malformed: x:1:1: there is more than one word/)
  })

  it.for(['', 'just text', '42', '\u0000\u0001', '{', '- 1\n- {a: b}\n'])(
    '%j is no file that names images, or names none',
    async (text) => {
      const refusal = await refusalOf(text, 'x.yaml')
      const found = refusal === 'none' ? await mentioned(text, 'x.yaml') : []
      expect([refusal.split(':')[0], found]).toEqual([expect.stringMatching(/^(?:none|file_malformed)$/), []])
    },
  )

  it('whatever the bytes are, the answer is mentions or a refusal with a code, and the places are in the text', async () => {
    const word = constantFrom(
      'FROM',
      'ARG',
      'a',
      '$A',
      '${A:-b}',
      '\n',
      ' ',
      '\\',
      '<<E',
      'E',
      '"',
      "'",
      '#',
      '# escape=`',
      'image:',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ': ',
      '&a',
      '*a',
      '<<:',
      '---',
      'services',
      'repository:',
      '\u{feff}',
      '\r\n',
    )
    await assert(
      asyncProperty(array(word, { maxLength: 40 }), constantFrom('Dockerfile', 'x.yaml', 'compose.yaml', 'x.txt'), async (words, file) => {
        const text = words.join('')
        try {
          for (const { start, end, line, column } of (await findImages(text, file)).images) {
            expect(start >= 0 && end >= start && end <= text.length && line >= 1 && column >= 1).toBe(true)
          }
        } catch (cause) {
          if (!(cause instanceof CountersignError) || cause.code === 'internal') throw cause
        }
      }),
      { numRuns: 600 },
    )
  })
})

describe('a Compose file runs', () => {
  it('the images of its services and of volumes of type image; what is built here is skipped', async () => {
    const text = `services:
  a: { image: nginx:1, volumes: [{ type: image, source: data:1 }, /x:/y] }
  b: { image: own:1, build: ., pull_policy: build }
  c: { build: { context: ./c } }
  d: { extends: { file: other.yaml, service: x } }
include: [other.yaml]
`
    expect(await mentioned(text, 'compose.yaml')).toEqual([
      'services.a.image nginx:1',
      'services.a.volumes[0].source data:1',
      'services.b.image own:1 (it is built here; verify its Dockerfile)',
      'services.c.build { context: ./c } (it is built here; verify its Dockerfile)',
      'services.d.extends { file: other.yaml, service: x } (it extends a service of another file, which is not read) ?',
      'include [other.yaml] (it includes other files, which are not read) ?',
    ])
  })

  it('an image that is also built here, since Compose pulls it first: an attacker may have registered its name', async () => {
    expect(await mentioned('services: { a: { image: team/app, build: . } }', 'compose.yaml')).toEqual(['services.a.image team/app'])
  })

  it.for([
    ['$A', 'va'],
    ['${A}', 'va'],
    ['${A:-d}', 'va'],
    ['${N:-d}', 'd'],
    ['${N-d}', 'd'],
    ['${E-d}x', 'x'],
    ['${E:-d}', 'd'],
    ['x${A:+yes}', 'xyes'],
    ['x${N+yes}', 'x'],
    ['${A:?needed}', 'va'],
    ['${N:-${M:-deep}}', 'deep'],
    ['a$$b', 'a$b'],
    ['$N', undefined],
    ['${N:?needed}', undefined],
    ['${E:?needed}', undefined],
    ['${N:-${M}}', undefined],
    ['${A', undefined],
    ['${}', undefined],
    ['${A/x/y}', undefined],
    [`${'${N:-'.repeat(20)}x${'}'.repeat(20)}`, undefined],
  ])('variables: %s is %s', async ([written, expected]) => {
    const text = JSON.stringify({ services: { a: { image: written } } })
    const [found = ''] = await mentioned(text, 'compose.json', {
      variables: new Map([
        ['A', 'va'],
        ['E', ''],
      ]),
    })
    expect(found.endsWith('?') ? undefined : found).toBe(expected === undefined ? undefined : `services.a.image ${expected}`)
  })

  it('variables: the environment goes before the file, as in Compose', async () => {
    const text = 'services: { a: { image: "$A-$B" } }'
    const given = {
      environment: { A: 'env' },
      environmentFile: new Map([
        ['A', 'file'],
        ['B', 'file'],
      ]),
    }
    expect(await mentioned(text, 'compose.yaml', given)).toEqual(['services.a.image env-file'])
  })

  it('variables come from a file too, with quotes, comments and variables in them', () => {
    const text = `# c\nexport A=1 # c\nB="two words"\nC='$A'\nD=$A-x\nE=\${NO}\nnonsense\nF: yaml\n`
    expect([...readEnvironmentFile(text)]).toEqual([
      ['A', '1'],
      ['B', 'two words'],
      ['C', '$A'],
      ['D', '1-x'],
      ['F', 'yaml'],
    ])
  })
})

describe('Helm values name', () => {
  it('images in one text, in parts, beside a tag, and under names that end in image', async () => {
    const text = `image: { registry: q.io, repository: a/b, tag: 1.2 }
digested: { image: { repository: a/c, tag: x, digest: "sha256:${'a'.repeat(64)}" } }
plain: { image: nginx:1 }
beside: { image: redis, tag: 7 }
initImage: foo/init:1
sidecars: [{ image: side:1 }]
images: { a: x/a:1 }
git: { repository: https://example.org/a.git }
`
    expect(await mentioned(text, 'values.yaml')).toEqual([
      'image q.io/a/b:1.2',
      `digested.image a/c:x@sha256:${'a'.repeat(64)}`,
      'plain.image nginx:1',
      'beside.image redis:7',
      'initImage foo/init:1',
      'sidecars[0].image side:1',
      'images.a x/a:1',
    ])
  })

  it('the registry that is set for all images', async () => {
    const text = 'global: { imageRegistry: mirror.example }\nimage: { registry: docker.io, repository: a/b, tag: 1 }\n'
    expect(await mentioned(text, 'values.yaml')).toEqual(['image mirror.example/a/b:1'])
  })

  it('no image that can be told where the chart chooses the tag, or in a template', async () => {
    const found = await mentioned('image: { repository: a/b, tag: "" }\nother: { image: "{{ .Values.x }}" }\n', 'values.yaml')
    expect(found.map((line) => line.endsWith('?'))).toEqual([true, true])
  })
})
