import { describe, expect, it } from 'vitest'
import { compileTemplate } from '../../src/ca/issuers/template.ts'
import { refusal } from './refusals.ts'

function render(source: string, claims: Readonly<Record<string, string>>): string {
  const result = compileTemplate(source)(new Map(Object.entries(claims)))
  return result.ok ? result.text : `missing ${result.missing}`
}

describe('templates over claims', () => {
  it('put claims into text, with and without blanks', () => {
    expect(render('{{ .url }}/{{.repo}}!', { url: 'https://a', repo: 'b' })).toBe('https://a/b!')
  })

  it('are the name of one claim when they have no braces', () => {
    expect(render('sha', { sha: 'abc' })).toBe('abc')
    expect(render('sha', {})).toBe('missing sha')
  })

  it('choose by the value of a claim', () => {
    const source = 'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}'
    expect(render(source, { ref_type: 'branch', ref: 'main' })).toBe('refs/heads/main')
    expect(render(source, { ref_type: 'tag', ref: 'v1' })).toBe('refs/tags/v1')
    expect(render(source, { ref: 'v1' })).toBe('missing ref_type')
  })

  it('choose by whether a claim is there', () => {
    expect(render('{{ if .a }}{{ .a }}{{ else }}none{{ end }}', { a: 'x' })).toBe('x')
    expect(render('{{ if .a }}{{ .a }}{{ else }}none{{ end }}', {})).toBe('none')
    expect(render('{{ if .a }}{{ .a }}{{ end }}', { a: '' })).toBe('')
  })

  it('take claims whose names are no words', () => {
    expect(render('{{(index . "oidc.circleci.com/project-id")}}', { 'oidc.circleci.com/project-id': '7' })).toBe('7')
    expect(render('{{if eq (index . "a/b") "true"}}yes{{ else }}no{{end}}', { 'a/b': 'true' })).toBe('yes')
  })

  it('never read what a claim puts in: template injection stays text', () => {
    expect(render('{{ .branch }}', { branch: '{{ .secret }}', secret: 's' })).toBe('{{ .secret }}')
    expect(render('{{ .a }}{{ .b }}', { a: '{{', b: ' .a }}' })).toBe('{{ .a }}')
    expect(render('branch', { branch: '{{ .secret }}', secret: 's' })).toBe('{{ .secret }}')
  })

  it('do not find what every object has', () => {
    expect(render('{{ .constructor }}', {})).toBe('missing constructor')
    expect(render('__proto__', {})).toBe('missing __proto__')
  })

  it.each([
    ['{{ .a', 'an action without end'],
    ['{{ if .a }}x', 'a condition without end'],
    ['{{ end }}', 'an end without condition'],
    ['{{ else }}', 'an else without condition'],
    ['{{ if .a }}{{ else }}{{ else }}{{ end }}', 'two elses'],
    ['{{ printf "%s" .a }}', 'a function'],
    ['{{ .a.b }}', 'a path'],
    ['{{ range . }}{{ end }}', 'a loop'],
    ['{{- .a -}}', 'trimming'],
    [
      '{{ if .a }}{{ if .a }}{{ if .a }}{{ if .a }}{{ if .a }}x{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}',
      'conditions five levels deep',
    ],
    ['  ', 'nothing'],
    ['x'.repeat(5000), 'more than 4,096 characters'],
  ])('refuse %s: %s', (source) => {
    expect(refusal(() => compileTemplate(source))).toBe('config_malformed')
  })
})
