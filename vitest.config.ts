import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** `source` makes workspace packages resolve to their TypeScript, so that no build stands between an edit and its test. `import` is not
 * among them: Node would give its modules to `require` too, inside of packages that have both kinds. */
const conditions = ['source', 'node']
/** Long, so that only what hangs meets them, and never a machine that is busy. */
const patience = { hookTimeout: 120_000, expect: { poll: { timeout: 20_000 } } }
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
}

/** Files of tens of seconds, the longest first: begun last, they would run when all other workers are done. */
const longest = [
  'test/interop/matrix',
  'test/scripts/transcripts',
  'test/guides/guides',
  'test/interop/concurrent',
  'cli/test/services/continuity',
  'test/interop/services.test',
  'cli/test/services/ceremony',
  'test/interop/round-trip',
  'server/test/log/kill',
  'server/test/main/',
  'server/test/trust/repository',
  'cli/test/services/serve',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((part) => moduleId.includes(part))
      return at < 0 ? longest.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  test: {
    // Many files wait for processes, disks and leases: one worker more than there are processors keeps these busy.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'test/{boundaries,houserules,vectors,scripts,guides}/**/*.test.ts'],
          testTimeout: 60_000,
          // What hundreds of short-lived processes of the tests would compile again each.
          env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compiled') },
          ...patience,
        },
      },
      { ...shared, test: { name: 'interop', include: ['test/interop/**/*.test.ts'], testTimeout: 240_000, ...patience } },
      { ...shared, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, ...patience } },
    ],
  },
})
