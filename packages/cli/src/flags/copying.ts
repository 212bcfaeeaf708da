/** Flags of the verbs that copy images. */
import type { Flag } from '../command/model.ts'
import { registryFlags, signatureRepositoryFlag } from './registry.ts'
import { demandFlags, policyFlags, signerFlags } from './verifying.ts'

/** On `copy`, `save` and `load`. */
export const copyingFlags: readonly Flag[] = [
  { name: 'force', short: 'f', kind: 'boolean', help: 'overwrite a tag or file that is something else', commandLineOnly: true },
  {
    name: 'platform',
    kind: 'csv',
    value: 'OS/ARCH',
    help: 'of an index, the image of this platform alone; of several, the index with these',
  },
  {
    name: 'verify',
    kind: 'boolean',
    help: 'verify the image before anything is written, as the flags below demand; any of them implies it',
  },
  ...policyFlags,
  ...signerFlags,
  ...demandFlags,
  signatureRepositoryFlag,
  ...registryFlags,
]
