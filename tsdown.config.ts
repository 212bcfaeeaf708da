import { defineConfig, type UserConfig } from 'tsdown'

/**
 * Libraries are built file by file with their types; the command is one code-split bundle, so that each verb loads
 * only what it needs: loading is most of what a short command costs.
 */
export default defineConfig([
  library('core'),
  library('sdk'),
  {
    cwd: 'packages/cli',
    entry: { main: 'src/main.ts', conformance: 'src/conformance.ts' },
    platform: 'node',
    target: 'node24',
    dts: false,
    clean: true,
    fixedExtension: false,
    minify: false,
    deps: { alwaysBundle: [/.*/] },
    inputOptions: { resolve: { conditionNames: ['source', 'node', 'import', 'default'] } },
  },
])

function library(name: string): UserConfig {
  return {
    cwd: `packages/${name}`,
    entry: ['src/**/*.ts'],
    unbundle: true,
    platform: name === 'core' ? 'neutral' : 'node',
    target: 'es2024',
    dts: true,
    clean: true,
    fixedExtension: false,
  }
}
