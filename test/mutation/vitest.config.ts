/**
 * The tests that must notice mutants of the core: those of its own rooms, and the conformance vectors. Mutation testing runs in a copy of
 * the repository whose `node_modules` is a link: packages are resolved beside this file, not through it, or the mutants would not be seen.
 */
import { resolve } from 'node:path'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

const packages = resolve(import.meta.dirname, '../../packages')
const conditions = ['source', 'node', 'import', 'default']

const config: ViteUserConfig = defineConfig({
  resolve: { conditions, alias: [{ find: /^@countersign\/(core|sdk|testkit)\/(.+)$/, replacement: `${packages}/$1/src/$2.ts` }] },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/core/test/{policy,verify}/**/*.test.ts', 'test/vectors/conformance.test.ts'],
    testTimeout: 20_000,
    // A mutant's tests share their modules: a worker of its own for each file is what most of a run would wait for.
    isolate: false,
  },
})

export default config
