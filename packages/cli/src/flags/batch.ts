/** Flags of runs over many artifacts. */
import type { Flag } from '../command/model.ts'

/** Every verb that verifies. */
export const batchFlags: readonly Flag[] = [
  {
    name: 'file',
    short: 'f',
    kind: 'list',
    value: 'FILE',
    help: 'verify what FILE lists: batch manifest, image list, Kubernetes, Helm, Compose, Dockerfile, SHA256SUMS, a folder; - is stdin',
    commandLineOnly: true,
  },
  {
    name: 'file-kind',
    kind: 'text',
    value: 'KIND',
    help: 'what the files of -f are, where their content shall not tell',
    choices: ['batch', 'checksums', 'images', 'kubernetes', 'compose', 'dockerfile', 'helm-values'],
    commandLineOnly: true,
  },
  {
    name: 'insecure-any-identity',
    kind: 'boolean',
    help: 'with -f: take patterns that accept everybody, such as .*',
    commandLineOnly: true,
  },
]

/** `--fail-on`. */
export const failOnFlag: Flag = {
  name: 'fail-on',
  kind: 'text',
  value: 'warn|deny',
  help: 'what of a policy ends the run with 13: also what it warns of, or only what it denies',
  choices: ['warn', 'deny'],
  default: 'deny',
}

/** `verify` and `verify-attestation`. */
export const manifestFlags: readonly Flag[] = [
  { name: 'recursive', short: 'r', kind: 'boolean', help: 'verify every manifest of an index, too', commandLineOnly: true },
  {
    name: 'platform',
    kind: 'csv',
    value: 'OS/ARCH',
    help: 'verify these of an index in its place, for example linux/amd64,linux/arm64; each must be there',
    commandLineOnly: true,
  },
]
