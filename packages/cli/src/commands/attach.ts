/** `countersign attach`: flags and help of its four verbs. */
import type { Command, Flag } from '../command/model.ts'
import { referrersModeFlag, registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

const common: readonly Flag[] = [signatureRepositoryFlag, ...registryFlags]
const forceFlag: Flag = {
  name: 'force',
  short: 'f',
  kind: 'boolean',
  help: 'replace another SBOM in the legacy layout',
  commandLineOnly: true,
}

function file(name: string, help: string, kind: 'text' | 'list' = 'text'): Flag {
  return { name, kind, value: 'FILE', help, commandLineOnly: true }
}

/** Attaches a signature. */
export const attachSignatureCommand: Command = {
  name: 'attach signature',
  summary: 'Attach a signature of an image that was made elsewhere: a Sigstore bundle, or a simple-signing payload and its signature.',
  description: 'What is attached must name the image. It is not verified here: verify it afterwards, as everybody does.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    {
      text: 'A payload (countersign generate, or cosign) and its signature',
      line: 'countersign attach signature --payload payload.json --signature payload.sig registry.example/app:1.2',
    },
    { text: 'A Sigstore bundle', line: 'countersign attach signature --bundle image.sigstore.json registry.example/app:1.2' },
  ],
  flags: [
    file('payload', 'the payload that was signed'),
    file('signature', 'the signature over the payload, base64'),
    file('bundle', 'a Sigstore bundle; or, as in cosign, another name for --payload'),
    file('certificate', 'certificate of the signer, PEM'),
    file('certificate-chain', 'chain of the certificate, PEM'),
    file('rekor-response', "answer of the log, or cosign's bundle of it, JSON"),
    file('tsr', 'timestamp of the signature, DER or JSON'),
    ...common,
  ],
  body: async () => (await import('../verbs/attach-signed.ts')).attachSignature,
}

/** Attaches attestations. */
export const attachAttestationCommand: Command = {
  name: 'attach attestation',
  summary: 'Attach attestations of an image that were made elsewhere: DSSE envelopes or Sigstore bundles, one JSON object a line.',
  description:
    'An envelope is written in the legacy layout, a bundle as what it is. What is attached must name the image; it is not verified here.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'An envelope', line: 'countersign attach attestation --attestation provenance.intoto.jsonl registry.example/app:1.2' },
    {
      text: 'An envelope, in both layouts',
      line: 'countersign attach attestation --layout both --attestation envelope.json registry.example/app:1.2',
    },
  ],
  flags: [
    file('attestation', 'envelopes or bundles', 'list'),
    {
      name: 'layout',
      kind: 'text',
      value: 'LAYOUT',
      help: 'where envelopes go: legacy (tag .att), bundle, which is made around each, or both',
      choices: ['bundle', 'legacy', 'both'],
      default: 'legacy',
    },
    file('key', "public key of the signer, for a bundle's hint at it"),
    ...common,
  ],
  body: async () => (await import('../verbs/attach-signed.ts')).attachAttestation,
}

/** Attaches an SBOM. */
export const attachSbomCommand: Command = {
  name: 'attach sbom',
  summary:
    'Attach an SBOM to an image, as an OCI artifact that refers to it. It is not signed: prefer "countersign attest --type spdxjson".',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [{ text: 'An SPDX document', line: 'countersign attach sbom --sbom sbom.spdx.json registry.example/app:1.2' }],
  flags: [
    file('sbom', 'the SBOM; - reads stdin'),
    {
      name: 'type',
      kind: 'text',
      value: 'TYPE',
      help: 'kind of SBOM',
      choices: ['spdx', 'cyclonedx', 'syft'],
      default: 'spdx',
      commandLineOnly: true,
    },
    {
      name: 'input-format',
      kind: 'text',
      value: 'FORMAT',
      help: 'json, xml or text',
      choices: ['json', 'xml', 'text'],
      default: 'what the content shows',
      commandLineOnly: true,
    },
    {
      name: 'layout',
      kind: 'text',
      value: 'LAYOUT',
      help: 'referrer, legacy (tag .sbom) or both',
      choices: ['referrer', 'legacy', 'both'],
      default: 'referrer',
    },
    forceFlag,
    referrersModeFlag,
    ...common,
  ],
  body: async () => (await import('../verbs/attach-files.ts')).attachSbom,
}

/** Attaches files. */
export const attachArtifactCommand: Command = {
  name: 'attach artifact',
  summary: 'Attach files to an image, as one OCI artifact that refers to it. Nothing is signed.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    {
      text: 'A licence',
      line: 'countersign attach artifact --artifact-type application/vnd.example.licence --file LICENSE:text/plain registry.example/app:1.2',
    },
  ],
  flags: [
    { name: 'artifact-type', kind: 'text', value: 'TYPE', help: 'what the artifact is: a media type', commandLineOnly: true },
    { name: 'file', kind: 'list', value: 'FILE[:TYPE]', help: 'a file and its media type', commandLineOnly: true },
    ...common,
  ],
  body: async () => (await import('../verbs/attach-files.ts')).attachFiles,
}
