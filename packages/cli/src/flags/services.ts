/** Flags of the verbs that run or administer the services. */
import type { Flag } from '../command/model.ts'

/** The folder of the installation. */
export const dataFlag: Flag = {
  name: 'data',
  kind: 'text',
  value: 'DIR',
  help: 'folder of the installation',
  default: '$XDG_DATA_HOME/countersign',
  path: true,
}

/** What opens the sealed keys of the installation. */
export const passphraseFlag: Flag = {
  name: 'passphrase',
  kind: 'text',
  value: 'SOURCE',
  help: 'where the passphrase of the keys is: file:PATH, env:NAME, credential:NAME or prompt',
  default: 'a file that the first start makes',
  commandLineOnly: true,
}

/** How an installation is opened that is administered beside its server. */
export const installationFlags: readonly Flag[] = [
  dataFlag,
  { name: 'config', kind: 'text', value: 'FILE', help: 'configuration document', default: 'config.yaml in the data folder', path: true },
  passphraseFlag,
]
