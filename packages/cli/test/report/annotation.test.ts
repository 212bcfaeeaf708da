import { describe, expect, it } from 'vitest'
import { annotate } from '../../src/report/annotation.ts'
import type { SubjectReport } from '../../src/report/schema.ts'

function said(environment: Readonly<Record<string, string>>, message: string, location?: SubjectReport['location']): string {
  let text = ''
  annotate({ environment, err: (line) => void (text += line) }, 'warning', message, location)
  return text
}

const actions = { GITHUB_ACTIONS: 'true' }

describe('a message for a CI system', () => {
  it('names the place where GitHub Actions reads along', () => {
    expect(said(actions, 'x', { file: 'a/pod.yaml', line: 3, column: 5 })).toBe(
      '::warning file=a/pod.yaml,line=3,col=5,title=countersign::x\n',
    )
    expect(said(actions, 'x', { file: 'pod.yaml' })).toBe('::warning file=pod.yaml,title=countersign::x\n')
    expect(said(actions, 'x')).toBe('::warning title=countersign::x\n')
  })

  it('names no place of what came from stdin', () => {
    expect(said(actions, 'x', { file: '-', line: 3 })).toBe('::warning title=countersign::x\n')
  })

  it('is not said anywhere else', () => {
    expect(said({ GITLAB_CI: 'true' }, 'x')).toBe('')
    expect(said({}, 'x')).toBe('')
  })

  it('attack: a name that would be another command stays a name', () => {
    expect(said(actions, 'x\n::stop-commands::y%0A', { file: 'a,line=9::b', line: 1 })).toBe(
      '::warning file=a%2Cline=9%3A%3Ab,line=1,title=countersign::x ::stop-commands::y%250A\n',
    )
  })
})
