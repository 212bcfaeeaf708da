/** `countersign trusted-root create`: flags and help. */
import type { Command, Flag } from '../command/model.ts'

function serviceFlag(name: string, help: string): Flag {
  return { name, kind: 'list', value: 'KEY=VALUE,…', help, commandLineOnly: true }
}

const defaults: Flag['refused'] = { code: 'not_supported', hint: 'Name the services yourself; nothing is fetched from a public service.' }

/** Writes a trusted root. */
export const trustedRootCreateCommand: Command = {
  name: 'trusted-root create',
  summary: 'Write a trusted root (Sigstore v0.1) from certificates and keys.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    {
      text: 'A trusted root with one log and one authority',
      line: 'countersign trusted-root create \\\n    --fulcio="url=https://ca.example.org,certificate-chain=ca.pem" \\\n    --rekor="url=https://log.example.org,public-key=log.pub,start-time=2026-01-01T00:00:00Z" \\\n    --out trusted_root.json',
    },
    { text: 'An empty one', line: 'countersign trusted-root create --out empty.json' },
  ],
  flags: [
    serviceFlag('fulcio', 'certificate authority: url, certificate-chain (PEM file); start-time, end-time'),
    serviceFlag('tsa', 'timestamp authority: url, certificate-chain (PEM file); start-time, end-time'),
    serviceFlag('rekor', 'transparency log: url, public-key (PEM file), start-time; end-time, origin'),
    serviceFlag('ctfe', 'certificate log: url, public-key (PEM file), start-time; end-time'),
    { name: 'out', kind: 'text', value: 'FILE', help: 'write it to a file', commandLineOnly: true },
    { name: 'with-default-services', kind: 'boolean', hidden: true, help: 'public services', refused: defaults },
    ...['ctfe', 'fulcio', 'rekor', 'tsa'].map((name): Flag => ({
      name: `no-default-${name}`,
      kind: 'boolean',
      hidden: true,
      help: 'no public service',
      idle: 'there are no default services',
    })),
  ],
  body: async () => (await import('../verbs/trusted-root-create.ts')).createTrustedRoot,
}
