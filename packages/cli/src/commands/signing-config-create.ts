/** `countersign signing-config create`: flags and help. */
import type { Command, Flag } from '../command/model.ts'

function serviceFlag(name: string, help: string): Flag {
  return {
    name,
    kind: 'list',
    value: 'KEY=VALUE,…',
    help: `${help}: url, api-version, start-time, operator; end-time`,
    commandLineOnly: true,
  }
}

const defaults: Flag['refused'] = { code: 'not_supported', hint: 'Name the services yourself; nothing is fetched from a public service.' }

/** Writes a signing config. */
export const signingConfigCreateCommand: Command = {
  name: 'signing-config create',
  summary: 'Write a signing config (Sigstore v0.2) that names services.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    {
      text: 'One that names no service: sign with a key, contact only the registry',
      line: 'countersign signing-config create --out signing_config.json',
    },
    {
      text: 'One with a transparency log',
      line: 'countersign signing-config create \\\n    --rekor="url=https://log.example.org,api-version=2,start-time=2026-01-01T00:00:00Z,operator=example.org" \\\n    --rekor-config=ANY --out signing_config.json',
    },
  ],
  flags: [
    serviceFlag('fulcio', 'certificate authority'),
    serviceFlag('rekor', 'transparency log'),
    serviceFlag('oidc-provider', 'identity provider'),
    serviceFlag('tsa', 'timestamp authority'),
    {
      name: 'rekor-config',
      kind: 'text',
      value: 'ANY|ALL|EXACT:N',
      help: 'which of the logs to use; needed with --rekor',
      commandLineOnly: true,
    },
    {
      name: 'tsa-config',
      kind: 'text',
      value: 'ANY|ALL|EXACT:N',
      help: 'which of the timestamp authorities to use; needed with --tsa',
      commandLineOnly: true,
    },
    { name: 'out', kind: 'text', value: 'FILE', help: 'write it to a file', commandLineOnly: true },
    { name: 'with-default-services', kind: 'boolean', hidden: true, help: 'public services', refused: defaults },
    { name: 'with-default-rekor-v2', kind: 'boolean', hidden: true, help: 'public services', refused: defaults },
    ...['fulcio', 'oidc', 'rekor', 'tsa'].map((name): Flag => ({
      name: `no-default-${name}`,
      kind: 'boolean',
      hidden: true,
      help: 'no public service',
      idle: 'there are no default services',
    })),
  ],
  body: async () => (await import('../verbs/signing-config-create.ts')).createSigningConfig,
}
