/** `countersign key rotate`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

/** Rotates the key of a role. */
export const keyRotateCommand: Command = {
  name: 'key rotate',
  summary: 'Give a service a new key; what the one before signed stays valid.',
  description:
    'ROLE is ca (the intermediate), ct, rekor1, rekor2, tsa, oidc, or root, targets, snapshot, timestamp of the TUF repository. The new key is added to the trust root and the validity of the old one ends in an hour. A running server notices within seconds and signs with the new key only when clients are told of it; the identity provider does with its next start.\nWhere keys of root or targets are kept offline, this writes a proposal for their holders: countersign trust status.',
  subjects: 'ROLE',
  least: 1,
  most: 1,
  examples: [
    { text: 'The timestamp authority', line: 'countersign key rotate tsa' },
    { text: 'The intermediate of the certificate authority', line: 'countersign key rotate ca' },
  ],
  flags: installationFlags,
  body: async () => (await import('../verbs/rotate.ts')).keyRotate,
}
