/** `countersign login` and `logout`: flags and help. */
import type { Command } from '../command/model.ts'

/** Stores credentials. */
export const loginCommand: Command = {
  name: 'login',
  summary: 'Store credentials for a registry.',
  description:
    'They go where Docker keeps them: its credential helper if one is configured, else its config file. Podman and cosign find them there too.',
  subjects: 'REGISTRY',
  least: 1,
  most: 1,
  examples: [
    { text: 'Read the password from stdin', line: 'pass show registry | countersign login registry.example -u robot --password-stdin' },
    { text: 'Be asked for it', line: 'countersign login registry.example -u robot' },
  ],
  flags: [
    { name: 'username', short: 'u', kind: 'text', value: 'NAME', help: 'user name', commandLineOnly: true },
    {
      name: 'password',
      short: 'p',
      kind: 'text',
      value: 'PASSWORD',
      help: 'password; others on this machine can read it: prefer --password-stdin',
      commandLineOnly: true,
    },
    { name: 'password-stdin', kind: 'boolean', help: 'read the password from stdin', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/login.ts')).login,
}

/** Erases credentials. */
export const logoutCommand: Command = {
  name: 'logout',
  summary: 'Forget credentials for a registry.',
  subjects: 'REGISTRY',
  least: 1,
  most: 1,
  examples: [{ text: 'Forget them', line: 'countersign logout registry.example' }],
  flags: [],
  body: async () => (await import('../verbs/login.ts')).logout,
}
