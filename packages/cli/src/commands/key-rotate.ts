/** `countersign key rotate`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

/** Rotates the key of a role. */
export const keyRotateCommand: Command = {
  name: 'key rotate',
  summary: 'Give a service a new key; what the one before signed stays valid.',
  description:
    'ROLE is ca (the intermediate), ct, rekor1, rekor2, tsa, oidc, or root, targets, snapshot, timestamp of the TUF repository. The new key is added to the trust root and the validity of the old one ends in an hour. A running server notices within seconds and signs with the new key only when clients are told of it.\nWith --after the new key is in the trust root (of oidc: in the key set) now and signs from that time, so that clients which fetched the trust root in between notice nothing; the old one ends an hour later. A rotation without --after gives the plan up. Roles of the TUF repository are not planned: clients learn of their new keys before they need them.\nWhere keys of root or targets are kept offline, this writes a proposal for their holders: countersign trust status.',
  subjects: 'ROLE',
  least: 1,
  most: 1,
  examples: [
    { text: 'The timestamp authority', line: 'countersign key rotate tsa' },
    { text: 'The intermediate of the certificate authority', line: 'countersign key rotate ca' },
    {
      text: 'The log of Rekor version 2, in three days, for clients that are seldom online',
      line: 'countersign key rotate rekor2 --after 3d',
    },
  ],
  flags: [
    {
      name: 'after',
      kind: 'text',
      value: 'DURATION|TIME',
      help: 'publish the new key now and sign with it from then on: 12h, 3d, or a time as 2027-01-31T00:00:00Z',
      default: 'at once',
      commandLineOnly: true,
    },
    ...installationFlags,
  ],
  body: async () => (await import('../verbs/rotate.ts')).keyRotate,
}
