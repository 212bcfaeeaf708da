import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDockerRegistry, type DockerRegistry } from '@countersign/testkit/docker-registry'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '@countersign/testkit/registry/server'
import { repositoryContract, type ContractSubject } from '@countersign/testkit/repository-contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRegistryRun } from '../../src/open-repository.ts'

function run(subject: ContractSubject): void {
  it.for(repositoryContract(subject))('$name', async ({ run: prove, skipped }, context) => {
    context.skip(skipped !== undefined, skipped)
    await expect(prove()).resolves.toBeUndefined()
  })
}

let count = 0

function openAt(host: () => string): ContractSubject['open'] {
  return async () => {
    const registries = createRegistryRun({ environment: {} })
    const place = { kind: 'registry', registry: host(), repository: `contract/r${count++}` } as const
    return { repository: await registries.open(place), close: registries.close }
  }
}

function registryContract(title: string, options: TestRegistryOptions, skip: ContractSubject['skip'] = []): void {
  describe(`a repository of ${title}`, () => {
    let registry: TestRegistry
    beforeAll(async () => {
      registry = await startTestRegistry(options)
    })
    afterAll(() => registry.stop())
    run({ open: openAt(() => registry.host), skip })
  })
}

const noConditions = [
  { test: 'writes only if the tag is new, when asked to', reason: 'no compare-and-swap' },
  { test: 'writes only if the tag is as it was read, when asked to', reason: 'no compare-and-swap' },
] as const

registryContract('an OCI 1.1 registry', {})
registryContract('a registry with small pages', { tagPageSize: 2, referrersPageSize: 1 })
registryContract('a registry without the referrers API', { referrers: false, conditionalWrites: false }, noConditions)

describe('a repository of docker-registry', () => {
  let registry: DockerRegistry | undefined
  beforeAll(async () => {
    registry = await startDockerRegistry()
  }, 30_000)
  afterAll(() => registry?.stop())
  const cases = repositoryContract({ open: openAt(() => registry?.host ?? ''), skip: noConditions })
  it.for(cases)('$name', async ({ run: prove, skipped }, context) => {
    context.skip(registry === undefined || skipped !== undefined, skipped ?? 'docker-registry is not installed')
    await expect(prove()).resolves.toBeUndefined()
  })
})

describe('a repository in an image layout folder', () => {
  run({
    open: async () => {
      const directory = await mkdtemp(join(tmpdir(), 'layout-'))
      await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })
      await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
      await writeFile(join(directory, 'index.json'), '{"schemaVersion":2,"manifests":[]}')
      const registries = createRegistryRun({ environment: {} })
      return {
        repository: await registries.open({ kind: 'layout', directory }),
        close: () => rm(directory, { recursive: true }),
      }
    },
  })
})
