import { describe, expect, it } from 'vitest'
import { CountersignError } from '../../src/failure.ts'
import type { JsonObject } from '../../src/json/parse.ts'
import { keysPolicy, type Publisher, publisherPolicy } from '../../src/policy-exchange/publisher.ts'
import { lintPolicy } from '../../src/policy/lint.ts'
import { certified, digest, judge, now, proven, somebody } from '../policy/fixture.ts'
import { compileDocument, imageOf } from './exchange.ts'

const request = { name: 'publisher', images: ['registry.example/acme/**'], files: [], attestations: [] }
const github: Publisher = {
  forge: 'github',
  url: 'https://github.com',
  issuer: 'https://token.actions.githubusercontent.com',
  repository: 'acme/app',
  workflow: 'release.yml',
  ref: { kind: 'branch', name: 'main' },
  events: ['push'],
}
const gitlab: Publisher = {
  ...github,
  forge: 'gitlab',
  url: 'https://gitlab.com',
  issuer: 'https://gitlab.com',
  repository: 'acme/tools/app',
  workflow: '.gitlab-ci.yml',
  ref: { kind: 'tag', name: 'v*' },
  runner: 'gitlab-hosted',
}

/** What Fulcio writes into a certificate of such a run, with what a test changes. */
function run(publisher: Publisher, subject: string, changed: Record<string, string> = {}) {
  const ref = publisher.ref.kind === 'branch' ? 'refs/heads/main' : 'refs/tags/v1.2'
  const values = {
    '11': publisher.runner ?? 'github-hosted',
    '12': `${publisher.url}/${publisher.repository}`,
    '14': ref,
    '20': 'push',
    ...changed,
  }
  return proven(certified(subject, publisher.issuer, values), { logged: true })
}

async function decide(policy: JsonObject, item: ReturnType<typeof proven>): Promise<string> {
  return judge(await compileDocument(policy), [await item], { artifact: { ...imageOf('registry.example/acme/app:1'), digests: [digest] } })
    .decision
}

describe('the policy of a trusted publisher', () => {
  const workflow = 'https://github.com/acme/app/.github/workflows/release.yml'

  it('accepts the workflow at the branch, started by the event', async () => {
    expect(await decide(publisherPolicy(github, request), run(github, `${workflow}@refs/heads/main`))).toBe('allow')
  })

  it.each([
    ['another branch', `${workflow}@refs/heads/evil`, {}],
    ['another workflow', workflow.replace('release', 'evil'), {}],
    ['another repository of the same name', `${workflow}@refs/heads/main`.replace('acme/', 'mallory/'), {}],
    ['another source', `${workflow}@refs/heads/main`, { '12': 'https://github.com/mallory/app' }],
    ['another ref of the source', `${workflow}@refs/heads/main`, { '14': 'refs/pull/7/merge' }],
    ['a pull request', `${workflow}@refs/heads/main`, { '20': 'pull_request_target' }],
  ])('attack: refuses %s', async (_what, subject, changed) => {
    expect(await decide(publisherPolicy(github, request), run(github, subject, changed))).toBe('deny')
  })

  it('accepts tags that fit, of GitLab with two slashes before the file', async () => {
    const at = 'https://gitlab.com/acme/tools/app//.gitlab-ci.yml@refs/tags/v1.2'
    expect(await decide(publisherPolicy(gitlab, request), run(gitlab, at))).toBe('allow')
    expect(await decide(publisherPolicy(gitlab, request), run(gitlab, at.replace('v1.2', 'x'), { '14': 'refs/tags/x' }))).toBe('deny')
    expect(await decide(publisherPolicy(gitlab, request), run(gitlab, at, { '11': 'self-hosted' }))).toBe('deny')
  })

  it('accepts a reusable workflow of another repository, and any of several events', async () => {
    const reusable = { ...github, workflow: 'acme/workflows/.github/workflows/release.yml', events: ['push', 'workflow_dispatch'] }
    const at = 'https://github.com/acme/workflows/.github/workflows/release.yml@refs/heads/main'
    expect(await decide(publisherPolicy(reusable, request), run(github, at))).toBe('allow')
    expect(await decide(publisherPolicy(reusable, request), run(github, at, { '20': 'workflow_dispatch' }))).toBe('allow')
    expect(await decide(publisherPolicy(reusable, request), run(github, at, { '20': 'push_x' }))).toBe('deny')
  })

  it.each<[string, Publisher]>([
    ['a branch', github],
    ['a tag', gitlab],
    ['a runner and several events', { ...github, runner: 'github-hosted', events: ['push', 'schedule'] }],
  ])('passes lint without a finding: %s', async (_what, publisher) => {
    const policy = publisherPolicy(publisher, { ...request, attestations: ['slsaprovenance1', 'cyclonedx'] })
    expect(lintPolicy(await compileDocument(policy), now)).toEqual([])
  })

  it.each<[string, Publisher]>([
    ['a repository that is a pattern', { ...github, repository: 'acme/*' }],
    ['a repository that goes elsewhere', { ...github, repository: 'acme/app/../../mallory' }],
    ['a branch that is a pattern', { ...github, ref: { kind: 'branch', name: '*' } }],
    ['a workflow with a ref of its own', { ...github, workflow: 'release.yml@refs/heads/evil' }],
    ['an event that is a pattern', { ...github, events: ['push|.*'] }],
  ])('is refused for %s', (_what, publisher) => {
    expect(() => publisherPolicy(publisher, request)).toThrow(CountersignError)
  })
})

describe('the policy of people with keys', () => {
  it('demands as many as it says', async () => {
    const [alice, bob] = [await somebody('alice'), await somebody('bob')]
    const keys = new Map([
      ['alice', alice.pem],
      ['bob', bob.pem],
    ])
    expect(await decide(keysPolicy(keys, 1, request), proven(bob.signer))).toBe('allow')
    expect(await decide(keysPolicy(keys, 2, request), proven(bob.signer))).toBe('deny')
    expect(lintPolicy(await compileDocument(keysPolicy(keys, 2, request)), now)).toEqual([])
    expect(() => keysPolicy(keys, 3, request)).toThrow('3 of 2 keys')
    expect(() => keysPolicy(keys, 1, { ...request, images: [] })).toThrow('it is not said what')
  })
})
