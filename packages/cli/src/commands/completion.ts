/** `countersign completion`: flags and help. */
import type { Command } from '../command/model.ts'

/** Prints a completion script. */
export const completionCommand: Command = {
  name: 'completion',
  summary: 'Print a completion script for bash, zsh or fish.',
  description: 'It completes verbs, flags, values of flags, files, and the images that the profile lists under "images".',
  subjects: 'bash|zsh|fish',
  least: 1,
  most: 1,
  examples: [
    { text: 'bash, now', line: 'source <(countersign completion bash)' },
    { text: 'zsh, for every session', line: 'countersign completion zsh > "${fpath[1]}/_countersign"' },
    { text: 'fish, for every session', line: 'countersign completion fish > ~/.config/fish/completions/countersign.fish' },
  ],
  flags: [
    {
      name: 'no-descriptions',
      kind: 'boolean',
      hidden: true,
      help: 'no descriptions',
      idle: 'bash shows none, zsh and fish always show them',
    },
  ],
  body: async () => (await import('../verbs/completion.ts')).completion,
}
