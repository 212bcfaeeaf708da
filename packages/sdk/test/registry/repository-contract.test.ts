import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDockerRegistry, type DockerRegistry } from '@countersign/testkit/docker-registry'
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from '@countersign/testkit/registry/server'
import { repositoryContract, type ContractSubject } from '@countersign/testkit/repository-contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRegistryRun, openRepository } from '../../src/open-repository.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { writeTarOf } from '../layout/tar.ts'

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

async function emptyLayout(): Promise<{
  readonly directory: string
  readonly repository: Repository
  readonly close: () => Promise<void>
}> {
  const folder = await mkdtemp(join(tmpdir(), 'layout-'))
  const directory = join(folder, 'layout')
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(join(directory, 'index.json'), '{"schemaVersion":2,"manifests":[]}')
  const repository = await openRepository({ kind: 'layout', directory }, { environment: {} })
  return { directory, repository, close: () => rm(folder, { recursive: true }) }
}

describe('a repository in an image layout folder', () => {
  run({ open: emptyLayout })
})

describe('a repository in an archive, made anew of a folder after each write', () => {
  run({
    open: async () => {
      const { directory, repository, close } = await emptyLayout()
      const archived = async (): Promise<Repository> => {
        const file = `${directory}.tar`
        await writeTarOf(directory, file)
        return openRepository({ kind: 'archive', file }, { environment: {} })
      }
      const reading: Repository = {
        ...repository,
        resolve: async (reference) => (await archived()).resolve(reference),
        manifest: async (reference) => (await archived()).manifest(reference),
        referrers: async (subject) => (await archived()).referrers(subject),
        blob: async function* (descriptor) {
          yield* (await archived()).blob(descriptor)
        },
        tags: async function* () {
          yield* (await archived()).tags()
        },
      }
      return { repository: reading, close }
    },
  })
})
