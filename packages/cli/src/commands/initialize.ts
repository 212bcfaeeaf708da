/** `countersign initialize` and `countersign trusted-root refresh`: flags and help. */
import type { Command } from '../command/model.ts'

/** Fills the folder from which keyless verification takes its trusted root. */
export const initializeCommand: Command = {
  name: 'initialize',
  summary: 'Fetch a trusted root from a TUF mirror and keep it, so that verification needs no network.',
  description:
    'Fills TUF_ROOT, or ~/.sigstore/root, in the form of cosign 3: both tools share it. Without --mirror it asks the public-good Sigstore instance.\nVerification never calls out: when what is stored expires, it says so, and "trusted-root refresh" renews it.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    { text: 'Your own instance', line: 'countersign initialize --mirror https://tuf.example.org --root root.json' },
    {
      text: 'With a root from the network, whose checksum you know',
      line: 'countersign initialize --mirror https://tuf.example.org \\\n    --root https://tuf.example.org/root.json --root-checksum 9f86d0818…',
    },
    { text: 'From a copy, without network', line: 'countersign initialize --mirror file:///media/usb/tuf --root root.json' },
    { text: 'The public-good Sigstore instance', line: 'countersign initialize' },
  ],
  flags: [
    {
      name: 'mirror',
      kind: 'text',
      value: 'URL',
      help: 'the TUF repository: https://…, or file:///… (TUF_MIRROR)',
      default: 'https://tuf-repo-cdn.sigstore.dev',
    },
    { name: 'root', kind: 'text', value: 'FILE|URL', help: 'the TUF root to start from; default: the one that is built in or stored' },
    {
      name: 'root-checksum',
      kind: 'text',
      value: 'SHA256',
      help: 'its checksum: 64 hex digits, or sha512: and 128; demanded of a root that comes over the network',
    },
    { name: 'staging', kind: 'boolean', help: 'the mirror of the public staging instance; needs --root', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/initialize.ts')).initialize,
}

/** Renews what was initialized. */
export const trustedRootRefreshCommand: Command = {
  name: 'trusted-root refresh',
  summary: 'Fetch again, from the mirror that was initialized, what keyless verification trusts.',
  description: 'The only call that renews it; verification makes none. Run it from a timer, or when a warning says that it expires.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'Renew it', line: 'countersign trusted-root refresh' }],
  flags: [],
  body: async () => (await import('../verbs/initialize.ts')).refreshTrustedRoot,
}
