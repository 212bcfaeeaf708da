/** `countersign bundle`: flags and help of its two verbs. */
import type { Command, Flag } from '../command/model.ts'
import { hardwareKeyFlags } from '../flags/signing.ts'

function file(name: string, help: string): Flag {
  return { name, kind: 'text', value: 'FILE', help, commandLineOnly: true }
}

const outFlag = file('out', 'where to write the bundle; without it stdout')
const trustedRootFlag: Flag = {
  name: 'trusted-root',
  kind: 'text',
  value: 'FILE',
  help: 'holds intermediate certificates, for which a bundle v0.3 has no room',
  path: true,
}

/** Makes bundles. */
export const bundleCreateCommand: Command = {
  name: 'bundle create',
  summary: 'Make a Sigstore bundle v0.3 from a signature and what belongs to it. No private key is needed.',
  description:
    'With --artifact, and --key or a certificate, the bundle is verified before it is written; one that does not verify is not written.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    {
      text: 'From a detached signature',
      line: 'countersign bundle create --artifact app.tar.gz --signature app.tar.gz.sig --key cosign.pub --out app.tar.gz.sigstore.json',
    },
    {
      text: 'From the bundle of an older cosign',
      line: 'countersign bundle create --artifact app.tar.gz --bundle app.tar.gz.bundle --key cosign.pub --out app.tar.gz.sigstore.json',
    },
  ],
  flags: [
    file('artifact', 'the file that was signed'),
    file('signature', 'detached signature, base64 or raw'),
    file('bundle', "bundle of an older cosign (or any other; 'bundle upgrade' is shorter)"),
    file('attestation', 'DSSE envelope'),
    file('certificate', 'certificate of the signer, PEM'),
    file('rfc3161-timestamp', 'timestamp of the signature'),
    { name: 'key', kind: 'text', value: 'KEY', help: 'public key of the signer: a file, env://VARIABLE or https://…', path: true },
    trustedRootFlag,
    outFlag,
    {
      name: 'ignore-tlog',
      kind: 'boolean',
      hidden: true,
      help: 'do without a log entry',
      idle: 'the log entry that the evidence holds is kept, and none is looked for',
    },
    ...hardwareKeyFlags,
  ],
  body: async () => (await import('../verbs/bundle.ts')).bundleCreate,
}

/** Upgrades bundles. */
export const bundleUpgradeCommand: Command = {
  name: 'bundle upgrade',
  summary: 'Write a Sigstore bundle v0.1 or v0.2, or the bundle of an older cosign, as a bundle v0.3, without a key and without loss.',
  description: 'What v0.3 cannot hold is refused, and the old bundle stays what it is.',
  subjects: 'BUNDLE',
  least: 1,
  most: 1,
  examples: [{ text: 'Upgrade a bundle', line: 'countersign bundle upgrade old.sigstore.json --out new.sigstore.json' }],
  flags: [
    file('artifact', 'the file that was signed, where the old form does not hold its digest'),
    trustedRootFlag,
    outFlag,
    {
      name: 'rekor-url',
      kind: 'text',
      hidden: true,
      help: 'transparency log',
      idle: 'nothing is fetched: what the bundle lacks is refused',
    },
  ],
  body: async () => (await import('../verbs/bundle.ts')).bundleUpgrade,
}
