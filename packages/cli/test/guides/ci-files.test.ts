import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startTestRegistry, type TestRegistry } from '@countersign/testkit/registry/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { makeStage, type Stage } from '../../../../test/scripts/stage.ts'

const folder = resolve(import.meta.dirname, '../../../../docs/guides/ci')
const tools = ['curl', 'sha256sum', 'bash'].every((tool) => existsSync(`/usr/bin/${tool}`) || existsSync(`/bin/${tool}`))
let stage: Stage
let registry: TestRegistry
let place: string
let env: Readonly<Record<string, string>>

/** What a job of any of these systems finds: the checkout with policy and key, an image that was built, variables and secrets. */
beforeAll(async () => {
  stage = makeStage()
  registry = await startTestRegistry()
  place = join(stage.root, 'ci')
  mkdirSync(join(place, 'home'), { recursive: true })
  for (const name of ['policy.yaml', 'verify.sh']) writeFileSync(join(place, name), file(name))
  const prepared = await stage.play(
    place,
    `countersign generate-key-pair --output-key-prefix release 2>/dev/null && push-image ${registry.host}/team/app:1 && push-image ${registry.host}/team/app:unsigned other`,
  )
  const [digest = '', unsigned = ''] = prepared.stdout.split('\n')
  const executable = join(stage.root, 'bin/countersign')
  env = {
    IMAGE: `${registry.host}/team/app@${digest}`,
    UNSIGNED: `${registry.host}/team/app@${unsigned}`,
    SIGNING_KEY: readFileSync(join(place, 'release.key'), 'utf8'),
    EXECUTABLE_URL: `file://${executable}`,
    EXECUTABLE_SHA256: createHash('sha256').update(readFileSync(executable)).digest('hex'),
    CI_COMMIT_SHA: '4f2c1d',
    GITHUB_PATH: join(place, 'github-path'),
    RUNNER_TEMP: join(place, 'temp'),
  }
  await stage.play(place, 'countersign sign --key release.key --yes "$IMAGE"', env)
}, 60_000)

afterAll(async () => {
  await registry.stop()
  stage.remove()
})

function file(name: string): string {
  return readFileSync(join(folder, name), 'utf8').replaceAll('registry.example', registry.host)
}

async function exitOf(text: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const { exit, stderr } = await stage.play(place, text, { ...env, ...more })
  return exit === 0 ? 'exit 0' : `exit ${exit}: ${stderr.trim().split('\n').slice(-2).join(' | ')}`
}

type Step = { readonly name?: string; readonly run?: string; readonly env?: Readonly<Record<string, string>>; readonly if?: string }
type Workflow = { readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>> }

/** The expressions of GitHub that the file uses. */
function expanded(text: string, image: string): string {
  const values: Readonly<Record<string, string>> = {
    'inputs.image': image,
    'vars.EXECUTABLE_URL': env['EXECUTABLE_URL'] ?? '',
    'vars.EXECUTABLE_SHA256': env['EXECUTABLE_SHA256'] ?? '',
  }
  return text.replaceAll(/\$\{\{ ([\w.]+) \}\}/g, (_, name: string) => values[name] ?? '')
}

async function runWorkflow(image: string): Promise<readonly string[]> {
  const { jobs } = parse(file('github-actions.yml')) as Workflow
  writeFileSync(env['GITHUB_PATH'] ?? '', '')
  const outcomes: string[] = []
  for (const { name = '', run, env: own = {}, if: condition } of Object.values(jobs).flatMap((job) => job.steps)) {
    // A step with a condition of its own is one that this team does not need, or one that uploads.
    if (run === undefined || condition !== undefined) continue
    const values = Object.fromEntries(Object.entries(own).map(([key, value]) => [key, expanded(value, image)]))
    const outcome = await exitOf(`PATH="$(tr '\\n' ':' < "$GITHUB_PATH")$PATH"\n${expanded(run, image)}`, values)
    outcomes.push(`${name}: ${outcome}`)
    if (outcome !== 'exit 0') break
  }
  return outcomes
}

describe.skipIf(!tools)('the files for continuous integration, as their systems run them', () => {
  it('github-actions.yml installs, verifies and deploys', async () => {
    expect(await runWorkflow(env['IMAGE'] ?? '')).toEqual(['Install countersign: exit 0', 'Verify: exit 0', 'Deploy: exit 0'])
    expect(existsSync(join(place, 'countersign.sarif'))).toBe(true)
  }, 60_000)

  it('github-actions.yml does not deploy what nobody signed', async () => {
    const outcomes = await runWorkflow(env['UNSIGNED'] ?? '')
    expect(outcomes).toHaveLength(2)
    expect(outcomes.at(-1)).toMatch(/^Verify: exit 13: /)
  }, 60_000)

  it('gitlab-ci.yml signs, verifies and deploys, and tries again where it could not be told', async () => {
    type Job = {
      readonly before_script?: readonly string[]
      readonly script?: readonly string[]
      readonly retry?: { readonly exit_codes: readonly number[] }
    }
    const jobs = parse(file('gitlab-ci.yml')) as Readonly<Record<string, Job>>
    const before = jobs['.countersign']?.before_script ?? []
    for (const name of ['sign', 'verify'])
      expect(`${name}: ${await exitOf(['set -e', ...before, ...(jobs[name]?.script ?? ['false'])].join('\n'))}`).toBe(`${name}: exit 0`)
    expect(await exitOf((jobs['deploy']?.script ?? ['false']).join('\n'))).toBe('exit 0')
    expect(jobs['verify']?.retry?.exit_codes).toEqual([14])
    const unsigned = await exitOf(['set -e', ...before, ...(jobs['verify']?.script ?? [])].join('\n'), { IMAGE: env['UNSIGNED'] ?? '' })
    expect(unsigned).toMatch(/^exit 13: /)
  }, 60_000)

  it('Jenkinsfile verifies and deploys', async () => {
    const blocks = [...file('Jenkinsfile').matchAll(/'''\n([\s\S]*?)'''/g)].map((match) => match[1] ?? '')
    expect(blocks).toHaveLength(2)
    for (const block of blocks) expect(await exitOf(`set -xe\n${block}`)).toBe('exit 0')
  }, 60_000)

  it('verify.sh tries again where it could not be told, and nowhere else', async () => {
    const { stderr, exit } = await stage.play(place, 'sh verify.sh 127.0.0.1:1/team/app:1', { ...env, ATTEMPTS: '2', WAIT: '0' })
    expect(exit).toBe(14)
    expect(stderr.match(/attempt 1 of 2/g)).toHaveLength(1)
    const denied = await stage.play(place, 'sh verify.sh "$UNSIGNED"', { ...env, ATTEMPTS: '2', WAIT: '0' })
    expect([denied.exit, denied.stderr.includes('attempt')]).toEqual([13, false])
  }, 60_000)
})
