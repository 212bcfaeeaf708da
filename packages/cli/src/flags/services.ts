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
