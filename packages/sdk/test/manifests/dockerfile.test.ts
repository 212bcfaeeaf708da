import { findImages } from '@countersign/sdk/manifests/find'
import { describe, expect, it } from 'vitest'
import { mentioned, refusalOf } from './mentioned.ts'

const given = (variables: Readonly<Record<string, string>>): { readonly variables: ReadonlyMap<string, string> } => ({
  variables: new Map(Object.entries(variables)),
})

describe('a Dockerfile is built from', () => {
  it('the images of FROM, with platform and name', async () => {
    expect(await mentioned('FROM --platform=$BUILDPLATFORM golang:1.22 AS Build\nfrom "alpine:3"\n', 'Dockerfile')).toEqual([
      'FROM golang:1.22',
      'FROM alpine:3',
    ])
  })

  it('what COPY --from and RUN --mount take files from; stages by name or number are no images', async () => {
    const text = [
      'FROM a AS Build',
      'FROM b',
      'COPY --from=build /x /x',
      'COPY --chown=1 --from=0 /x /x',
      'COPY --from=busybox:1 /x /x',
      'RUN --mount=type=cache,target=/c --mount=type=bind,from=quay.io/t:1,target=/t make',
      'RUN --mount=from=build,target=/b make',
      'ONBUILD COPY --from=later:1 / /',
    ].join('\n')
    expect(await mentioned(text, 'Dockerfile')).toEqual([
      'FROM a',
      'FROM b',
      'COPY --from build (the build stage build)',
      'COPY --from 0 (the build stage 0)',
      'COPY --from busybox:1',
      'RUN --mount quay.io/t:1',
      'RUN --mount build (the build stage build)',
      'COPY --from later:1',
    ])
  })

  it('the frontend of "# syntax=", which may do anything', async () => {
    expect(await mentioned('#!/bin/x\n# syntax = docker/dockerfile:1 \n# check=skip=all\nFROM scratch\n', 'Dockerfile')).toEqual([
      'syntax docker/dockerfile:1',
      'FROM scratch (scratch is no image)',
    ])
    expect(await mentioned('\n# syntax=docker/dockerfile:1\nFROM a\n', 'Dockerfile')).toEqual(['FROM a'])
  })

  it('the base of the final stage, through the stages before it', async () => {
    const { images } = await findImages('FROM a AS one\nFROM b AS two\nFROM one AS three\nFROM three\n', 'Dockerfile')
    expect(images.filter(({ finalBase }) => finalBase === true).map(({ text }) => text)).toEqual(['a'])
  })

  it('what variables stand for: a build argument, else the default, else the environment', async () => {
    const text = 'ARG A=alpine:3\nARG V="1" W\nFROM $A\nFROM node:${V}-x\nFROM ${W}\nFROM ${N:-deb}:${V:+two}\n'
    expect(await mentioned(text, 'Dockerfile', { environment: { W: 'env:1', A: 'not:this' } })).toEqual([
      'FROM alpine:3',
      'FROM node:1-x',
      'FROM env:1',
      'FROM deb:two',
    ])
    expect(await mentioned('ARG A=alpine:3\nFROM $A\n', 'Dockerfile', given({ A: 'other:1' }))).toEqual(['FROM other:1'])
    expect(await mentioned('ARG R=reg\nARG I=$R/x\nFROM $I\n', 'Dockerfile', given({ R: 'q.io' }))).toEqual(['FROM q.io/x'])
  })

  it.for([
    'FROM $X',
    'FROM a:${X}',
    'ARG X\nFROM $X',
    'FROM ${X:?must}',
    'ARG A=abc\nFROM ${A#a}',
    'ARG A=b\nFROM ${A',
    'FROM ""',
    'FROM a\nCOPY --from=$X / /',
  ])('never a variable without a value, or an expression that is not read: of %j it cannot be told', async (text) => {
    expect((await mentioned(`${text}\n`, 'Dockerfile')).at(-1)).toMatch(/\?$/)
  })

  it('nothing that an .env beside it says: no builder reads one, and an attacker would have another image verified', async () => {
    const environmentFile = new Map([['A', 'good:1']])
    expect(await mentioned('ARG A=evil:1\nFROM $A\n', 'Dockerfile', { environmentFile })).toEqual(['FROM evil:1'])
    expect((await mentioned('FROM $A\n', 'Dockerfile', { environmentFile }))[0]).toMatch(/\?$/)
  })

  it('never a variable that an attacker makes grow without end', async () => {
    const text = `ARG A=aaaaaaaaaa\n${'ARG A=$A$A\n'.repeat(60)}FROM $A\n`
    expect((await mentioned(text, 'Dockerfile'))[0]).toMatch(/\?$/)
  })

  it('an argument of a stage is none of the file', async () => {
    expect((await mentioned('FROM a\nARG X=evil\nFROM $X\n', 'Dockerfile'))[1]).toMatch(/^FROM \$X .*\?$/)
  })

  it('the place of an image is the place of the default when the default is all of it', async () => {
    const text = 'ARG BASE="alpine:3"\nFROM $BASE\nFROM \'node:1\'\n'
    const { images } = await findImages(text, 'Dockerfile')
    expect(images.map(({ line, start, end }) => [line, text.slice(start, end)])).toEqual([
      [1, 'alpine:3'],
      [3, 'node:1'],
    ])
  })
})

describe('lines are joined as the builder joins them', () => {
  it('by a backslash at the end, over comments and empty lines', async () => {
    expect(await mentioned('FROM \\\n# FROM no\n\n  a:1 \\  \n AS x\nRUN a \\\nFROM b\nFROM c\n', 'Dockerfile')).toEqual([
      'FROM a:1',
      'FROM c',
    ])
  })

  it('not by one that is itself escaped: an attacker would hide a FROM behind it', async () => {
    expect(await mentioned('FROM a\nRUN echo \\\\\nFROM evil\n', 'Dockerfile')).toEqual(['FROM a', 'FROM evil'])
  })

  it('by the character that the escape directive names, and by no other', async () => {
    expect(await mentioned('# escape=`\nFROM a\nRUN x \\\nFROM b\nRUN y `\nFROM no\n', 'Dockerfile')).toEqual(['FROM a', 'FROM b'])
  })

  it.for([
    ['after an empty line', '\n# escape=`\nFROM a\n'],
    ['after a comment', '# hello\n# escape=`\nFROM a\n'],
    ['after a directive that only some builders know', '# magic=1\n# escape=`\nFROM a\n'],
    ['behind blanks', '  # escape=`\nFROM a\n'],
    ['with a blank that is none in ASCII', '#\u00a0escape=`\nFROM a\n'],
    ['twice', '# escape=`\n# escape=\\\nFROM a\n'],
    ['with another character', '# escape=x\nFROM a\n'],
  ])('an escape directive %s is refused: builders differ, and an attacker chooses', async ([, text = '']) => {
    expect(await refusalOf(text, 'Dockerfile')).toMatch(/^file_malformed: Dockerfile:\d:1: builders do not agree/)
  })
})

describe('here-documents', () => {
  it('hold no instructions, with quotes, tabs, several at once, and a file descriptor', async () => {
    const text =
      'FROM a\nRUN cat <<A <<-"B" 3<<\'C\'\nFROM no\nA\nFROM no\n\tB\nFROM no\nC\nFROM b\nONBUILD RUN <<E\nFROM no\nE\nCOPY <<E /x\nFROM no\nE\n'
    expect(await mentioned(text, 'Dockerfile')).toEqual(['FROM a', 'FROM b'])
  })

  it.for([
    ['in quotes', 'RUN echo "<<A"'],
    ['behind a backslash', String.raw`RUN echo \<<A`],
    ['within a word', 'RUN a<<A'],
    ['in the JSON form', 'RUN ["a", "<<A"]'],
    ['of another instruction', 'LABEL x=1 <<A'],
    ['in a line whose quote does not end', "RUN echo ' <<A"],
  ])('what only looks like one, %s, hides no FROM of an attacker', async ([, line = '']) => {
    expect(await mentioned(`FROM a\n${line}\nFROM evil\n`, 'Dockerfile')).toEqual(['FROM a', 'FROM evil'])
  })

  it.for([
    ['that does not end', 'RUN <<A\nFROM b\n'],
    ['beside a substitution', 'RUN echo ${ <<A\nFROM b\nA\n'],
    ['behind JSON, of which builders read the beginning', 'RUN ["a"] <<A\nFROM b\nRUN \\\nA\n'],
    ['with a variable for a name', 'RUN <<$A\nFROM b\n$A\n'],
  ])('one %s is refused', async ([, text = '']) => {
    expect(await refusalOf(`FROM a\n${text}`, 'Dockerfile')).toMatch(/^file_malformed: Dockerfile:2:/)
  })
})

describe('a Dockerfile is refused', () => {
  it.for([
    ['with an instruction that no builder knows', 'FROM a\nFRM b\n'],
    ['with a FROM of many words', 'FROM a b c\n'],
    ['with a FROM of none', 'FROM\n'],
    ['with a FROM whose AS names nothing', 'FROM a AS\n'],
  ])('%s', async ([, text = '']) => {
    expect(await refusalOf(text, 'Dockerfile')).toMatch(/^file_malformed: Dockerfile:\d+:\d+/)
  })

  it.for(['\u{feff}', '\u0085'])(
    'with %j, behind which an attacker hides a FROM: it is a blank to one reader and not to the other',
    async (blank) => {
      expect(await refusalOf(`FROM a\nRUN x \\\n${blank}# no comment\nFROM evil\n`, 'Dockerfile')).toMatch(/invisible character/)
    },
  )

  it('with the name of a later stage as an image it cannot be told: builders differ in which they take', async () => {
    expect((await mentioned('FROM a\nCOPY --from=alpine / /\nFROM b AS alpine\n', 'Dockerfile'))[1]).toMatch(/a later build stage.*\?$/)
  })
})

it('attack: a number in RUN --mount is an image called so to BuildKit, and is not passed over as a build stage', async () => {
  const { images } = await findImages('FROM a:1\nRUN --mount=type=bind,from=0,target=/x true\nCOPY --from=0 /a /b\n', 'Dockerfile')
  expect(images.filter(({ unresolved }) => unresolved).map(({ text, path }) => `${path} ${text}`)).toEqual(['RUN --mount 0'])
})

it('attack: an instruction of a hundred thousand lines and flags takes no more time than reading it', async () => {
  const begun = performance.now()
  const text = `FROM a:1\nRUN ${'--mount=type=bind,from=b:1 \\\n'.repeat(60_000)} x\n`
  await expect(findImages(text, 'Dockerfile')).rejects.toMatchObject({ code: 'limit_exceeded' })
  expect(performance.now() - begun).toBeLessThan(8_000)
})
