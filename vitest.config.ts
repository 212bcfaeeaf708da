import { defineConfig } from 'vitest/config'

/** `source` makes workspace packages resolve to their TypeScript, so that no build stands between an edit and its test. `import` is not
 * among them: Node would give its modules to `require` too, inside of packages that have both kinds. */
const conditions = ['source', 'node']
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
}

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'test/{boundaries,houserules,vectors,scripts,guides}/**/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      { ...shared, test: { name: 'interop', include: ['test/interop/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { ...shared, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
})
