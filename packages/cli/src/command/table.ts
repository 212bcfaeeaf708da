/** All verbs. Each line is loaded only when its verb runs. */
import type { Verb } from './model.ts'

/** The verbs in the order of the help. */
export const verbs: readonly Verb[] = [
  { name: 'sign', group: 'sign', summary: 'Sign container images', load: async () => (await import('../commands/sign.ts')).signCommand },
  {
    name: 'attest',
    group: 'sign',
    summary: 'Attest something about container images',
    load: async () => (await import('../commands/attest.ts')).attestCommand,
  },
  { name: 'sign-blob', group: 'sign', summary: 'Sign files', load: async () => (await import('../commands/sign-blob.ts')).signBlobCommand },
  {
    name: 'attest-blob',
    group: 'sign',
    summary: 'Attest something about a file',
    load: async () => (await import('../commands/attest-blob.ts')).attestBlobCommand,
  },
  {
    name: 'verify',
    group: 'verify',
    summary: 'Verify signatures of container images',
    load: async () => (await import('../commands/verify.ts')).verifyCommand,
  },
  {
    name: 'verify-attestation',
    group: 'verify',
    summary: 'Verify attestations of container images',
    load: async () => (await import('../commands/verify-attestation.ts')).verifyAttestationCommand,
  },
  {
    name: 'verify-blob',
    group: 'verify',
    summary: 'Verify signatures of files',
    load: async () => (await import('../commands/verify-blob.ts')).verifyBlobCommand,
  },
  {
    name: 'verify-blob-attestation',
    group: 'verify',
    summary: 'Verify attestations of files',
    load: async () => (await import('../commands/verify-blob-attestation.ts')).verifyBlobAttestationCommand,
  },
  {
    name: 'tree',
    group: 'look',
    summary: 'Show what refers to an image',
    load: async () => (await import('../commands/tree.ts')).treeCommand,
  },
  {
    name: 'inspect',
    group: 'look',
    summary: 'Show what a file is and says, without verifying it',
    load: async () => (await import('../commands/inspect.ts')).inspectCommand,
  },
  {
    name: 'download signature',
    group: 'look',
    summary: 'Print the signatures of an image, unverified',
    load: async () => (await import('../commands/download.ts')).downloadSignatureCommand,
  },
  {
    name: 'download attestation',
    group: 'look',
    summary: 'Print the attestations of an image, unverified',
    load: async () => (await import('../commands/download.ts')).downloadAttestationCommand,
  },
  {
    name: 'download sbom',
    group: 'look',
    summary: 'Print the attached SBOM of an image, unverified',
    load: async () => (await import('../commands/download.ts')).downloadSbomCommand,
  },
  {
    name: 'triangulate',
    group: 'look',
    summary: "Print where cosign's legacy layout keeps something",
    load: async () => (await import('../commands/triangulate.ts')).triangulateCommand,
  },
  {
    name: 'generate-key-pair',
    group: 'keys',
    summary: 'Generate an encrypted private key and its public key',
    load: async () => (await import('../commands/generate-key-pair.ts')).generateKeyPairCommand,
  },
  {
    name: 'import-key-pair',
    group: 'keys',
    summary: 'Encrypt an existing private key for signing',
    load: async () => (await import('../commands/import-key-pair.ts')).importKeyPairCommand,
  },
  {
    name: 'public-key',
    group: 'keys',
    summary: 'Print the public key of a key',
    load: async () => (await import('../commands/public-key.ts')).publicKeyCommand,
  },
  {
    name: 'policy lint',
    group: 'verify',
    summary: 'Check policies: well formed, and nothing suspicious in them',
    load: async () => (await import('../commands/policy-lint.ts')).policyLintCommand,
  },
  {
    name: 'initialize',
    group: 'trust',
    summary: 'Fetch a trusted root from a TUF mirror and keep it',
    load: async () => (await import('../commands/initialize.ts')).initializeCommand,
  },
  {
    name: 'trusted-root refresh',
    group: 'trust',
    summary: 'Renew what was initialized',
    load: async () => (await import('../commands/initialize.ts')).trustedRootRefreshCommand,
  },
  {
    name: 'trusted-root create',
    group: 'trust',
    summary: 'Write a trusted root from certificates and keys',
    load: async () => (await import('../commands/trusted-root-create.ts')).trustedRootCreateCommand,
  },
  {
    name: 'signing-config create',
    group: 'trust',
    summary: 'Write a signing config that names services',
    load: async () => (await import('../commands/signing-config-create.ts')).signingConfigCreateCommand,
  },
  {
    name: 'login',
    group: 'trust',
    summary: 'Store credentials for a registry',
    load: async () => (await import('../commands/login.ts')).loginCommand,
  },
  {
    name: 'logout',
    group: 'trust',
    summary: 'Forget credentials for a registry',
    load: async () => (await import('../commands/login.ts')).logoutCommand,
  },
  {
    name: 'env',
    group: 'other',
    summary: 'Print the environment variables that are read',
    load: async () => (await import('../commands/env.ts')).envCommand,
  },
  {
    name: 'completion',
    group: 'other',
    summary: 'Print a completion script for a shell',
    load: async () => (await import('../commands/completion.ts')).completionCommand,
  },
  {
    name: 'version',
    group: 'other',
    summary: 'Print the version',
    load: async () => (await import('../commands/version.ts')).versionCommand,
  },
]
