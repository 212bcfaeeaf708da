import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '@countersign/core/json/parse'
import { CountersignError } from '@countersign/core/failure'
import type { Issuer } from '../../src/ca/issuers/model.ts'
import { principalOf, type Principal } from '../../src/ca/issuers/principal.ts'
import { readIssuers } from '../../src/ca/issuers/read-configuration.ts'
import { refusal } from './refusals.ts'

const url = 'https://issuer.example.com'

function principal(fields: Readonly<Record<string, JsonValue>>, claims: JsonObject): Principal {
  const { exact } = readIssuers({ 'oidc-issuers': { [url]: { 'client-id': 'sigstore', ...fields } } })
  const issuer = exact.get(url)
  if (issuer === undefined) throw new TypeError('no issuer')
  return principalOf(issuer, claims)
}

function refused(fields: Readonly<Record<string, JsonValue>>, claims: JsonObject): string | undefined {
  return refusal(() => principal(fields, claims))
}

describe('e-mail issuers', () => {
  const type = { type: 'email' }
  const claims = { sub: 's', email: 'ann@example.com', email_verified: true }

  it('name the address, over which the proof is', () => {
    expect(principal(type, claims)).toEqual({
      issuer: url,
      name: { kind: 'email', value: 'ann@example.com' },
      claims: { '1': url, '8': url },
      proofTexts: ['ann@example.com'],
    })
    expect(principal(type, { ...claims, email_verified: 'true' }).name.value).toBe('ann@example.com')
  })

  it.each<JsonValue>([false, 'false', 'True', 'TRUE', ' true', 'yes', 1, '1', null, [], [true], {}])(
    'do not take %j for a verified address',
    (verified) => {
      expect(refused(type, { ...claims, email_verified: verified })).toBe('identity_email_unverified')
      expect(refused({ ...type, 'skip-email-verification': true }, { ...claims, email_verified: verified })).toBe(
        'identity_email_unverified',
      )
    },
  )

  it('need the claim unless the operator says that the issuer has none', () => {
    const without = { sub: 's', email: 'ann@example.com' }
    expect(refused(type, without)).toBe('identity_email_unverified')
    expect(principal({ ...type, 'skip-email-verification': true }, without).name.value).toBe('ann@example.com')
  })

  it.each([
    'ann',
    '@example.com',
    'ann@',
    'ann@@example.com',
    'a@b@example.com',
    'ann@example',
    'ann@example.com ',
    ' ann@example.com',
    'ann@exa mple.com',
    'änn@example.com',
    'ann@ex\u0430mple.com',
    '<ann@example.com>',
    'ann@-a.com',
    'ann@example..com',
    `${'a'.repeat(65)}@example.com`,
  ])('refuse the address %j', (email) => {
    expect(refused(type, { ...claims, email })).toBe('identity_claim_malformed')
  })

  it.each(['ann@example.com\0.evil.org', 'ann@example.com\nbob@example.com', 'ann\u0007@example.com', 'ann@example.com\u2028'])(
    'refuse control characters, by which two readers would see two identities: %j',
    (email) => {
      expect(refused(type, { ...claims, email })).toBe('identity_claim_malformed')
    },
  )

  it.each<JsonValue>([['ann@example.com'], { a: 'ann@example.com' }, 7, true])('refuse an address that is %j', (email) => {
    expect(refused(type, { ...claims, email })).toBe('identity_claim_malformed')
  })

  it('name the issuer upstream when a federating provider says it in a claim', () => {
    const federated = { ...type, 'issuer-claim': '$.federated_claims.connector_id' }
    const upstream = 'https://accounts.example.org'
    expect(principal(federated, { ...claims, federated_claims: { connector_id: upstream } })).toMatchObject({
      issuer: upstream,
      claims: { '1': upstream, '8': upstream },
    })
    expect(refused(federated, claims)).toBe('identity_claim_missing')
    expect(refused(federated, { ...claims, federated_claims: { connector_id: 7 } })).toBe('identity_claim_malformed')
    expect(refused(federated, { ...claims, federated_claims: { connector_id: 'https://a\0b' } })).toBe('identity_claim_malformed')
  })
})

describe('the own identity provider', () => {
  const own = readIssuers({
    'oidc-issuers': { 'https://sign.example/oidc': { 'issuer-url': 'https://sign.example/oidc', 'client-id': 'sigstore', type: 'email' } },
  }).exact.get('https://sign.example/oidc')
  const issuer = {
    ...own,
    kind: { type: 'email', issuerClaim: ['federated_claims', 'connector_id'], issuerClaimMayBeAbsent: true, skipEmailVerification: false },
  } as Issuer
  const local = { iss: issuer.url, sub: 'x', email: 'ann@example.com', email_verified: true }

  it('is named for its own accounts, and the provider upstream for those that one vouches for', () => {
    expect(principalOf(issuer, local).issuer).toBe(issuer.url)
    expect(principalOf(issuer, { ...local, federated_claims: { connector_id: 'https://corp.example' } }).issuer).toBe(
      'https://corp.example',
    )
  })

  it('is not named by a federated token that lost the name of its provider', () => {
    for (const federated_claims of [{}, null, 'corp', { connector_id: '' }])
      expect(() => principalOf(issuer, { ...local, federated_claims })).toThrow(CountersignError)
  })
})

describe('SPIFFE, Kubernetes, URI and user name issuers', () => {
  const spiffe = { type: 'spiffe', 'spiffe-trust-domain': 'example.com' }

  it('name the SPIFFE ID of their trust domain', () => {
    expect(principal(spiffe, { sub: 'spiffe://example.com/ns/a' })).toMatchObject({
      name: { kind: 'uri', value: 'spiffe://example.com/ns/a' },
      proofTexts: ['spiffe://example.com/ns/a'],
    })
  })

  it.each([
    'spiffe://example.com.evil.org/a',
    'spiffe://evil.org/example.com/',
    'spiffe://example.com@evil.org/a',
    'spiffe://example.com',
    'spiffe://example.com/',
    'spiffe://example.com/a//b',
    'spiffe://example.com/a/../b',
    'spiffe://example.com/a/./b',
    'spiffe://EXAMPLE.com/a',
    'https://example.com/a',
    'spiffe://example.com/a?b',
    'spiffe://example.com/a%2e',
  ])('refuse the SPIFFE ID %s', (sub) => {
    expect(refused(spiffe, { sub })).toBe('identity_claim_malformed')
  })

  it('name the service account of Kubernetes', () => {
    const claims = { sub: 'system:serviceaccount:ns:sa', 'kubernetes.io': { namespace: 'ns', serviceaccount: { name: 'sa', uid: 'u' } } }
    expect(principal({ type: 'kubernetes' }, claims)).toMatchObject({
      name: { kind: 'uri', value: 'https://kubernetes.io/namespaces/ns/serviceaccounts/sa' },
      proofTexts: ['system:serviceaccount:ns:sa'],
    })
    expect(refused({ type: 'kubernetes' }, { ...claims, sub: 'system:serviceaccount:ns:admin' })).toBe('identity_claim_malformed')
    expect(refused({ type: 'kubernetes' }, { sub: 'x' })).toBe('identity_claim_missing')
    const escape = { sub: 'system:serviceaccount:a/b:sa', 'kubernetes.io': { namespace: 'a/b', serviceaccount: { name: 'sa' } } }
    expect(refused({ type: 'kubernetes' }, escape)).toBe('identity_claim_malformed')
  })

  it('name a URI of their domain', () => {
    const type = { type: 'uri', 'subject-domain': 'https://users.example.com' }
    expect(principal(type, { sub: 'https://users.example.com/ann' }).name).toEqual({ kind: 'uri', value: 'https://users.example.com/ann' })
    for (const sub of [
      'http://users.example.com/ann',
      'https://users.example.com.evil.org/',
      'https://users.example.com@evil.org/',
      'https://ann@users.example.com/',
      'https://ann:secret@users.example.com/',
      'https://evil.org/users.example.com',
      'ann@example.com',
      'https://users.example.com/ä',
    ]) {
      expect(refused(type, { sub })).toBe('identity_claim_malformed')
    }
  })

  it('name a user and their domain', () => {
    const type = { type: 'username', 'subject-domain': 'example.com' }
    expect(principal(type, { sub: 'ann' }).name).toEqual({ kind: 'username', value: 'ann!example.com' })
    expect(refused(type, { sub: 'ann!example.org' })).toBe('identity_claim_malformed')
    expect(refused(type, { sub: 'ann@example.org' })).toBe('identity_claim_malformed')
    for (const sub of ['an\0n', 'an\u2028n', 'an\ud800n']) expect(refused(type, { sub })).toBe('identity_claim_malformed')
    expect(refused(type, {})).toBe('identity_claim_missing')
  })

  it('take the proof over the subject, or over a verified address as stock clients choose, and over one alone where the operator says so', () => {
    const type = { type: 'username', 'subject-domain': 'example.com' }
    const claims = { sub: 'ann', email: 'ann@example.com', email_verified: true }
    expect(principal(type, claims).proofTexts).toEqual(['ann', 'ann@example.com'])
    expect(principal(type, { ...claims, email_verified: false }).proofTexts).toEqual(['ann'])
    expect(principal({ ...type, 'challenge-claim': 'sub' }, claims).proofTexts).toEqual(['ann'])
    expect(principal({ ...type, 'challenge-claim': 'email' }, claims).proofTexts).toEqual(['ann@example.com'])
  })
})

describe('build systems', () => {
  const github = {
    sub: 'repo:octo/app:ref:refs/heads/main',
    job_workflow_ref: 'octo/app/.github/workflows/ci.yml@refs/heads/main',
    job_workflow_sha: 'aaa',
    workflow_ref: 'octo/app/.github/workflows/ci.yml@refs/heads/main',
    workflow_sha: 'bbb',
    workflow: 'CI',
    event_name: 'push',
    sha: 'ccc',
    ref: 'refs/heads/main',
    repository: 'octo/app',
    repository_id: '1',
    repository_owner: 'octo',
    repository_owner_id: '2',
    repository_visibility: 'public',
    runner_environment: 'github-hosted',
    run_id: '3',
    run_attempt: '1',
  }

  it('of GitHub give every extension of the reference', () => {
    const { name, claims } = principal({ type: 'ci-provider', 'ci-provider': 'github-workflow' }, github)
    expect(name).toEqual({ kind: 'uri', value: `https://github.com/${github.job_workflow_ref}` })
    expect(claims).toEqual({
      '1': url,
      '2': 'push',
      '3': 'ccc',
      '4': 'CI',
      '5': 'octo/app',
      '6': 'refs/heads/main',
      '8': url,
      '9': `https://github.com/${github.job_workflow_ref}`,
      '10': 'aaa',
      '11': 'github-hosted',
      '12': 'https://github.com/octo/app',
      '13': 'ccc',
      '14': 'refs/heads/main',
      '15': '1',
      '16': 'https://github.com/octo',
      '17': '2',
      '18': `https://github.com/${github.workflow_ref}`,
      '19': 'bbb',
      '20': 'push',
      '21': 'https://github.com/octo/app/actions/runs/3/attempts/1',
      '22': 'public',
      '23': '',
    })
  })

  it('of a self-hosted GitHub differ in their URL', () => {
    const fields = { type: 'ci-provider', 'ci-provider': 'github-workflow', 'template-values': { url: 'https://git.example.com' } }
    expect(principal(fields, github).name.value).toBe(`https://git.example.com/${github.job_workflow_ref}`)
  })

  it('of GitLab say branch or tag', () => {
    const gitlab = {
      sub: 'project_path:g/p:ref_type:branch:ref:main',
      ci_config_ref_uri: 'gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main',
      ci_config_sha: 'a',
      runner_environment: 'gitlab-hosted',
      project_path: 'g/p',
      sha: 'b',
      ref_type: 'tag',
      ref: 'v1',
      project_id: '1',
      namespace_path: 'g',
      namespace_id: '2',
      pipeline_source: 'push',
      job_id: '3',
      project_visibility: 'private',
    }
    const { name, claims } = principal({ type: 'gitlab-pipeline' }, gitlab)
    expect(name.value).toBe('https://gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main')
    expect(claims).toMatchObject({
      '12': 'https://gitlab.com/g/p',
      '14': 'refs/tags/v1',
      '21': 'https://gitlab.com/g/p/-/jobs/3',
      '23': '',
    })
  })

  it.each<[string, JsonObject, string, JsonObject]>([
    [
      'buildkite-job',
      {
        sub: 's',
        organization_slug: 'o',
        pipeline_slug: 'p',
        build_number: 7,
        job_id: 'j',
        runner_environment: 'self-hosted',
        build_commit: 'c',
        build_source: 'webhook',
      },
      'https://buildkite.com/o/p',
      { '13': 'c', '20': 'webhook', '21': 'https://buildkite.com/o/p/builds/7#j' },
    ],
    [
      'circleci-job',
      {
        sub: 's',
        'oidc.circleci.com/project-id': 'p',
        'oidc.circleci.com/pipeline-definition-id': 'd',
        'oidc.circleci.com/pipeline-id': 'i',
        'oidc.circleci.com/workflow-id': 'w',
        'oidc.circleci.com/job-id': 'j',
        'oidc.circleci.com/ssh-rerun': false,
        'oidc.circleci.com/vcs-ref': 'refs/heads/main',
        'oidc.circleci.com/vcs-origin': 'github.com/o/r',
      },
      'https://circleci.com/api/v2/projects/p/pipeline-definitions/d',
      { '11': '', '14': 'refs/heads/main' },
    ],
    [
      'jenkins-build',
      { sub: 'https://jenkins.example.com/job/app/', build_number: '12' },
      'https://jenkins.example.com/job/app/',
      { '21': 'https://jenkins.example.com/job/app/12/', '24': 'https://jenkins.example.com/job/app/' },
    ],
    [
      'azure-pipelines',
      { sub: 'p://org/project/pipe line', org_id: 'o', prj_id: 'p', run_id: 9 },
      'p://org/project/pipe%20line',
      { '12': '', '21': 'https://dev.azure.com/o/p/_build/results?buildId=9' },
    ],
  ])('of %s are ready', (provider, claims, name, extensions) => {
    const found = principal({ type: 'ci-provider', 'ci-provider': provider }, claims)
    expect(found.name).toEqual({ kind: 'uri', value: name })
    expect(found.claims).toMatchObject(extensions)
  })

  it.each(['gitea-actions', 'forgejo-actions'])('of %s are ready', (provider) => {
    const fields = { type: 'ci-provider', 'ci-provider': provider, 'template-values': { url: 'https://git.example.com' } }
    expect(principal(fields, { ...github, workflow_ref: 'o/r/.forgejo/workflows/ci.yml@refs/heads/main' }).name.value).toBe(
      'https://git.example.com/o/r/.forgejo/workflows/ci.yml@refs/heads/main',
    )
  })

  it('need each claim that a template names', () => {
    const { run_id: _, ...without } = github
    expect(refused({ type: 'github-workflow' }, without)).toBe('identity_claim_missing')
    expect(refused({ type: 'github-workflow' }, { ...github, run_id: { a: 1 } })).toBe('identity_claim_missing')
  })

  it('cannot name another host, hide lines, or be endless: claims are text of one identity', () => {
    const type = { type: 'github-workflow' }
    expect(refused(type, { ...github, job_workflow_ref: 'a/../../b' })).toBe('identity_claim_malformed')
    expect(refused(type, { ...github, job_workflow_ref: 'a\nb' })).toBe('identity_claim_malformed')
    expect(refused(type, { ...github, sha: 'a\0b' })).toBe('identity_claim_malformed')
    expect(refused(type, { ...github, ref: 'x'.repeat(3000) })).toBe('identity_claim_malformed')
    expect(refused({ type: 'gitlab-pipeline' }, { ...github, ci_config_ref_uri: 'gitlab.com@evil.org/x' })).toBe('identity_claim_malformed')
  })
})
