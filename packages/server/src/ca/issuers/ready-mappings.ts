/**
 * What is ready for the build systems that people have: the templates of the reference where it has some (fulcio, config/identity/config.yaml),
 * ours in its manner for the others. Self-hosted ones differ in the value `url`.
 */

/** A mapping as it is written in a configuration. */
export type WrittenMapping = {
  readonly defaults: Readonly<Record<string, string>>
  readonly subjectAlternativeName: string
  /** By the names of `extensionNames`. */
  readonly extensions: Readonly<Record<string, string>>
}

/** What workflows of GitHub say, and of those that speak its claims. */
const workflow: WrittenMapping['extensions'] = {
  'github-workflow-trigger': 'event_name',
  'github-workflow-sha': 'sha',
  'github-workflow-name': 'workflow',
  'github-workflow-repository': 'repository',
  'github-workflow-ref': 'ref',
  'source-repository-uri': '{{ .url }}/{{ .repository }}',
  'source-repository-digest': 'sha',
  'source-repository-ref': 'ref',
  'source-repository-owner-uri': '{{ .url }}/{{ .repository_owner }}',
  'build-config-uri': '{{ .url }}/{{ .workflow_ref }}',
  'build-trigger': 'event_name',
}

const github: WrittenMapping = {
  defaults: { url: 'https://github.com', environment: '' },
  subjectAlternativeName: '{{ .url }}/{{ .job_workflow_ref }}',
  extensions: {
    ...workflow,
    'build-signer-uri': '{{ .url }}/{{ .job_workflow_ref }}',
    'build-signer-digest': 'job_workflow_sha',
    'runner-environment': 'runner_environment',
    'source-repository-identifier': 'repository_id',
    'source-repository-owner-identifier': 'repository_owner_id',
    'build-config-digest': 'workflow_sha',
    'run-invocation-uri': '{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}',
    'source-repository-visibility-at-signing': 'repository_visibility',
    'deployment-environment': 'environment',
  },
}

const gitlab: WrittenMapping = {
  defaults: { url: 'https://gitlab.com', environment: '' },
  subjectAlternativeName: 'https://{{ .ci_config_ref_uri }}',
  extensions: {
    'build-signer-uri': 'https://{{ .ci_config_ref_uri }}',
    'build-signer-digest': 'ci_config_sha',
    'runner-environment': 'runner_environment',
    'source-repository-uri': '{{ .url }}/{{ .project_path }}',
    'source-repository-digest': 'sha',
    'source-repository-ref': 'refs/{{ if eq .ref_type "branch" }}heads/{{ else }}tags/{{ end }}{{ .ref }}',
    'source-repository-identifier': 'project_id',
    'source-repository-owner-uri': '{{ .url }}/{{ .namespace_path }}',
    'source-repository-owner-identifier': 'namespace_id',
    'build-config-uri': 'https://{{ .ci_config_ref_uri }}',
    'build-config-digest': 'ci_config_sha',
    'build-trigger': 'pipeline_source',
    'run-invocation-uri': '{{ .url }}/{{ .project_path }}/-/jobs/{{ .job_id }}',
    'source-repository-visibility-at-signing': 'project_visibility',
    'deployment-environment': 'environment',
  },
}

const buildkite: WrittenMapping = {
  defaults: { url: 'https://buildkite.com' },
  subjectAlternativeName: '{{ .url }}/{{ .organization_slug }}/{{ .pipeline_slug }}',
  extensions: {
    'run-invocation-uri': '{{ .url }}/{{ .organization_slug }}/{{ .pipeline_slug }}/builds/{{ .build_number }}#{{ .job_id }}',
    'runner-environment': 'runner_environment',
    'source-repository-digest': 'build_commit',
    'build-trigger': 'build_source',
  },
}

const circleciDefinition =
  '{{ .api_url }}/projects/{{ index . "oidc.circleci.com/project-id" }}/pipeline-definitions/{{ index . "oidc.circleci.com/pipeline-definition-id" }}'

const circleci: WrittenMapping = {
  defaults: { api_url: 'https://circleci.com/api/v2', platform_url: 'https://app.circleci.com' },
  subjectAlternativeName: circleciDefinition,
  extensions: {
    'build-signer-uri': circleciDefinition,
    'runner-environment': '{{ if eq (index . "oidc.circleci.com/ssh-rerun") "true" }}ssh-rerun{{ end }}',
    'source-repository-uri': '{{ index . "oidc.circleci.com/vcs-origin" }}',
    'source-repository-ref': '{{ index . "oidc.circleci.com/vcs-ref" }}',
    'build-config-uri': '{{ .api_url }}/pipeline/{{ index . "oidc.circleci.com/pipeline-id" }}/config',
    'run-invocation-uri':
      '{{ .platform_url }}/workflow/{{ index . "oidc.circleci.com/workflow-id" }}/job/{{ index . "oidc.circleci.com/job-id" }}',
  },
}

const codefresh: WrittenMapping = {
  defaults: { platform_url: 'https://g.codefresh.io', scm_repo_url: '', scm_ref: '', runner_environment: '' },
  subjectAlternativeName: '{{ .platform_url }}/{{ .account_name }}/{{ .pipeline_name }}:{{ .account_id }}/{{ .pipeline_id }}',
  extensions: {
    'build-signer-uri': '{{ .platform_url }}/build/{{ .workflow_id }}',
    'runner-environment': 'runner_environment',
    'source-repository-uri': 'scm_repo_url',
    'source-repository-ref': 'scm_ref',
    'build-config-uri': '{{ .platform_url }}/api/pipelines/{{ .pipeline_id }}',
    'run-invocation-uri': '{{ .platform_url }}/build/{{ .workflow_id }}',
  },
}

/** The OpenID Connect Provider plugin: the subject is the URL of the job, which ends with a slash. */
const jenkins: WrittenMapping = {
  defaults: {},
  subjectAlternativeName: 'sub',
  extensions: {
    'build-signer-uri': 'sub',
    'build-config-uri': 'sub',
    'run-invocation-uri': '{{ .sub }}{{ .build_number }}/',
    'token-subject': 'sub',
  },
}

/** Gitea and Forgejo Actions speak GitHub's claims as far as they have them; `url` is that of the instance and must be given. */
const gitea: WrittenMapping = {
  defaults: {},
  subjectAlternativeName: '{{ .url }}/{{ .workflow_ref }}',
  extensions: {
    ...workflow,
    'build-signer-uri': '{{ .url }}/{{ .workflow_ref }}',
    'run-invocation-uri': '{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}',
    'token-subject': 'sub',
  },
}

/** Azure DevOps: the subject is `p://organization/project/pipeline`. */
const azureDevops: WrittenMapping = {
  defaults: { url: 'https://dev.azure.com' },
  subjectAlternativeName: 'sub',
  extensions: {
    'build-signer-uri': 'sub',
    'source-repository-uri': '{{ if .rpo_uri }}{{ .rpo_uri }}{{ end }}',
    'source-repository-digest': '{{ if .rpo_ver }}{{ .rpo_ver }}{{ end }}',
    'source-repository-ref': '{{ if .rpo_ref }}{{ .rpo_ref }}{{ end }}',
    'source-repository-identifier': '{{ if .rpo_id }}{{ .rpo_id }}{{ end }}',
    'build-config-uri': 'sub',
    'run-invocation-uri': '{{ .url }}/{{ .org_id }}/{{ .prj_id }}/_build/results?buildId={{ .run_id }}',
    'token-subject': 'sub',
  },
}

const chainguard: WrittenMapping = {
  defaults: {},
  subjectAlternativeName: '{{ .iss }}/{{ .sub }}',
  extensions: { 'token-subject': 'sub' },
}

/** By name of the provider; the names that the reference has are its own. */
export const readyMappings: ReadonlyMap<string, WrittenMapping> = new Map([
  ['github-workflow', github],
  ['gitlab-pipeline', gitlab],
  ['buildkite-job', buildkite],
  ['circleci-job', circleci],
  ['codefresh-workflow', codefresh],
  ['jenkins-build', jenkins],
  ['gitea-actions', gitea],
  ['forgejo-actions', gitea],
  ['azure-pipelines', azureDevops],
  ['chainguard-identity', chainguard],
])
