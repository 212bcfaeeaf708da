import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { findImages } from '@countersign/sdk/manifests/find'
import { pinImages } from '@countersign/sdk/manifests/pin'
import { assert, asyncProperty, constantFrom, string } from 'fast-check'
import { describe, expect, it } from 'vitest'

const digest = parseDigest(`sha256:${'d'.repeat(64)}`) as Digest
const old = `sha256:${'0'.repeat(64)}`

async function pinned(text: string, file: string): Promise<string> {
  const found = await findImages(text, file)
  const result = await pinImages({ ...found, file, text }, ({ skip }) => (skip === undefined ? digest : undefined))
  return result.text
}

async function refused(text: string, file: string): Promise<string> {
  try {
    return await pinned(text, file)
  } catch (cause) {
    if (cause instanceof CountersignError) return `${cause.code}: ${cause.message}`
    throw cause
  }
}

const pod = (image: string): string => `apiVersion: v1\nkind: Pod\nspec: { containers: [{ image: ${image} }] } # keep\n`

describe('pinning', () => {
  it.for([
    ['app:1', `app:1@${digest}`],
    ['"app:1"', `"app:1@${digest}"`],
    ["'q.io:5000/app:1'", `'q.io:5000/app:1@${digest}'`],
    ['app', `app:latest@${digest}`],
    ['q.io:5000/app', `q.io:5000/app:latest@${digest}`],
    [`app:1@${old}`, `app:1@${digest}`],
    [`app@${old}`, `app@${digest}`],
  ])('%s becomes %s', async ([image = '', expected = '']) => {
    expect(await pinned(pod(image), 'x.yaml')).toBe(pod(expected))
  })

  it('puts a digest where a chart looks for it: in its own field, else behind the tag', async () => {
    const text = `a: { image: { repository: r/a, tag: "1", digest: "" } }\nb: { image: { repository: r/b, tag: 1.2 } } # keep\nc: { image: { repository: r/c, tag: 1, digest: ${'0'.repeat(64)} } }\n`
    expect(await pinned(text, 'values.yaml')).toBe(
      `a: { image: { repository: r/a, tag: "1", digest: "${digest}" } }\nb: { image: { repository: r/b, tag: 1.2@${digest} } } # keep\nc: { image: { repository: r/c, tag: 1, digest: ${'d'.repeat(64)} } }\n`,
    )
  })

  it('of Dockerfiles writes the default that is the whole image, the frontend, and what is copied from', async () => {
    const text = '# syntax=docker/dockerfile:1\r\nARG B=alpine:3\r\nFROM $B AS x\r\nCOPY --from=x / /\r\nCOPY --from="t:1" \\\r\n / /\r\n'
    expect(await pinned(text, 'Dockerfile')).toBe(
      `# syntax=docker/dockerfile:1@${digest}\r\nARG B=alpine:3@${digest}\r\nFROM $B AS x\r\nCOPY --from=x / /\r\nCOPY --from="t:1@${digest}" \\\r\n / /\r\n`,
    )
  })

  it('of Compose writes the default of a variable that is not set', async () => {
    expect(await pinned('services: { a: { image: "${IMAGE:-nginx:1}" } }\n', 'compose.yaml')).toBe(
      `services: { a: { image: "\${IMAGE:-nginx:1@${digest}}" } }\n`,
    )
  })

  it('keeps a byte order mark and a missing newline at the end', async () => {
    expect(await pinned('\u{feff}FROM a:1', 'Dockerfile')).toBe(`\u{feff}FROM a:1@${digest}`)
  })

  it.for([
    ['a tag in a variable', 'ARG V=1\nFROM a:$V\n', 'Dockerfile'],
    ['a name over two lines', 'FROM al\\\npine:1\n', 'Dockerfile'],
    ['an escape in quotes', pod(String.raw`"a\x70p:1"`), 'x.yaml'],
    ['one default for two different things', 'ARG B=a:1\nFROM $B\nFROM q.io/$B\n', 'Dockerfile'],
  ])('refuses %s: nothing around it may change', async ([, text = '', file = '']) => {
    expect(await refused(text, file)).toMatch(/^image_unresolved: .*cannot be pinned here/)
  })

  it('refuses one place that two images are made of', async () => {
    const text = 'a: { image: { repository: r/a, tag: &t "1" } }\nb: { image: { repository: r/b, tag: *t } }\n'
    expect(await refused(text, 'values.yaml')).toMatch(/read in two ways/)
  })

  it('refuses what would change another image on the way', async () => {
    const text = 'ARG A=a:1\nFROM $A\nFROM q.io/$A\n'
    const found = await findImages(text, 'Dockerfile')
    const first = pinImages({ ...found, file: 'Dockerfile', text }, ({ text: image }) => (image === 'a:1' ? digest : undefined))
    await expect(first).rejects.toMatchObject({
      code: 'image_unresolved',
      message: expect.stringContaining('read as something else') as string,
    })
  })

  it('changes nothing but what it says, whatever stands around', async () => {
    const comment = string({ unit: constantFrom('#', ' ', 'é', '"', "'", 'a', ':', '{', '@'), maxLength: 20 })
    await assert(
      asyncProperty(comment, comment, constantFrom('\n', '\r\n'), async (above, behind, newline) => {
        const text = [`# ${above}`, 'apiVersion: v1', 'kind: Pod', 'spec:', '  containers:', `  -   image:   app:1   # ${behind}`, ''].join(
          newline,
        )
        expect((await pinned(text, 'x.yaml')).replace(`@${digest}`, '')).toBe(text)
      }),
    )
  })
})
