import type { UserConfig } from 'tsdown'

/**
 * Libraries are built file by file with their types; the command is one code-split bundle, so that each verb loads
 * only what it needs: loading is most of what a short command costs.
 */
/** Which modules of the command are one piece; the single-file executable has the same pieces. */
export const chunks: readonly { readonly name: string; readonly priority?: number; readonly test: RegExp }[] = [
  {
    name: 'start',
    priority: 8,
    test: /packages\/(core\/src\/failure|sdk\/src\/file-failure|cli\/src\/(run|process|version|command\/(parse|suggestion|table|flag-values)|failure|flags\/(global|idle|environment|signer-names)|terminal\/terminal|report\/(target|conclusion)|profile\/(profile|find|sections)))/,
  },
  {
    // All that signing needs until its key is being opened; the rest is loaded meanwhile.
    name: 'key',
    priority: 7,
    test: /packages\/cli\/src\/(signing\/(signer|password|key-first|key-io)|flags\/(signing|registry)|commands\/(sign|attest)\.ts)/,
  },
  {
    name: 'verbs',
    priority: 6,
    test: /packages\/cli\/src\/(demands|trust\/select|connection|report\/(evidence|cosign|schema)|terminal|images|signing|verbs\/(verify|sign|attest)|flags|commands\/(verify|sign|attest))/,
  },
  { name: 'sdk', test: /packages\/(core|sdk)\/src\// },
]

const configurations: UserConfig[] = [
  library('core'),
  library('sdk'),
  library('server'),
  {
    cwd: 'packages/cli',
    entry: { main: 'src/main.ts', conformance: 'src/conformance.ts' },
    platform: 'node',
    target: 'node24',
    dts: false,
    clean: true,
    fixedExtension: false,
    minify: false,
    // The services are a package of their own beside the command: their workers are files, and most commands need none of it.
    deps: { alwaysBundle: [/^(?!@countersign\/server\/)/], neverBundle: [/^@countersign\/server\//] },
    inputOptions: {
      resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
      // What is grouped below makes some import() load nothing new; that is meant.
      checks: { ineffectiveDynamicImport: false },
    },
    // Few files: each that a command loads costs it a third of a millisecond. What a verb needs comes in two or three pieces.
    outputOptions: { codeSplitting: { groups: [...chunks] } },
    plugins: [{ name: 'builtins', renderChunk: withoutFacades }],
  },
]

export default configurations

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

/** `import` of a built-in module evaluates all its exports, some of which load much more (streams, undici); taking it as a value does not. */
function withoutFacades(code: string): string {
  return code.replace(/^import \{([^}]*)\} from "(node:[a-z_/]+)";$/gm, (_, names: string, module: string) => {
    return `const {${names.replaceAll(' as ', ': ')}} = process.getBuiltinModule("${module}");`
  })
}
