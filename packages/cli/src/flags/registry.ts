/** Flags of every verb that speaks with a registry. */
import type { Flag } from '../command/model.ts'

/** cosign's registry flags; they keep names and meaning. */
export const registryFlags: readonly Flag[] = [
  { name: 'allow-http-registry', kind: 'boolean', help: 'plain http also to hosts other than this one', commandLineOnly: true },
  { name: 'allow-insecure-registry', kind: 'boolean', help: 'accept any server certificate', commandLineOnly: true },
  { name: 'registry-username', kind: 'text', help: 'user name for the registry' },
  { name: 'registry-password', kind: 'text', help: 'password for the registry', commandLineOnly: true },
  { name: 'registry-token', kind: 'text', help: 'bearer token for the registry', commandLineOnly: true },
  { name: 'registry-cacert', kind: 'text', value: 'FILE', help: 'additional certificate authorities, PEM', path: true },
  { name: 'registry-client-cert', kind: 'text', value: 'FILE', help: 'client certificate, PEM', path: true },
  { name: 'registry-client-key', kind: 'text', value: 'FILE', help: 'key of the client certificate, PEM', path: true },
  { name: 'registry-server-name', kind: 'text', value: 'NAME', help: 'name to expect in the server certificate' },
  {
    name: 'k8s-keychain',
    kind: 'boolean',
    hidden: true,
    help: 'credentials from Kubernetes',
    idle: 'credentials come from the configuration files of Docker and Podman and their helpers',
  },
]

/** Where signatures are kept when not beside the image. */
export const signatureRepositoryFlag: Flag = {
  name: 'signature-repository',
  kind: 'text',
  value: 'REPOSITORY',
  help: 'keep or find the signatures in another repository (COSIGN_REPOSITORY)',
}

/** cosign's choice of how to list what refers to an image; we always look everywhere. */
export const referrersModeFlag: Flag = {
  name: 'registry-referrers-mode',
  kind: 'text',
  value: 'MODE',
  hidden: true,
  help: 'legacy or oci-1-1',
  idle: 'the referrers API is used where the registry has it, and the fallback tag where it has not',
}

/** cosign's prefix of the tags `.sig` and `.att`; ours have the names that everybody looks for. */
export const attachmentTagPrefixFlag: Flag = {
  name: 'attachment-tag-prefix',
  kind: 'text',
  hidden: true,
  help: 'prefix of the tag',
  refused: { code: 'not_supported', hint: 'Leave it out; tags are named as everybody names them.' },
}
