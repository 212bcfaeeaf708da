/** `countersign ca init|export-root|remove-root|csr|import`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

const beside = 'Works while the server runs, and needs its data folder. Everything is in the audit log.'

/** Make the root of the certificate authority where there is none. */
export const caInitCommand: Command = {
  name: 'ca init',
  summary: 'Make the root of the certificate authority where there is none.',
  description: `The first start of serve has made one already, unless it was told not to run the authority.\n${beside}`,
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'A root', line: 'countersign ca init' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/ca-root.ts')).caInit,
}

/** Write the private key of the root, encrypted, and its certificate, to be kept offline. */
export const caExportRootCommand: Command = {
  name: 'ca export-root',
  summary: 'Write the private key of the root, encrypted, and its certificate, to be kept offline.',
  description: `Writes PREFIX.key, which countersign and cosign open, and PREFIX.crt.\n${beside}`,
  subjects: 'PREFIX',
  least: 1,
  most: 1,
  examples: [{ text: 'To a stick', line: 'countersign ca export-root /media/stick/root' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/ca-root.ts')).caExportRoot,
}

/** Remove the private key of the root from the installation. */
export const caRemoveRootCommand: Command = {
  name: 'ca remove-root',
  summary: 'Remove the private key of the root from the installation.',
  description: `Issuing goes on below it: only a further intermediate needs it, or a certificate that the root elsewhere signs (countersign ca csr).\n${beside}`,
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'After it was exported', line: 'countersign ca remove-root --yes' }],
  flags: [{ name: 'yes', short: 'y', kind: 'boolean', help: 'do not ask', commandLineOnly: true }, ...installationFlags],
  body: async () => (await import('../verbs/ca-root.ts')).caRemoveRoot,
}

/** Ask for an intermediate whose certificate a root elsewhere signs. */
export const caCsrCommand: Command = {
  name: 'ca csr',
  summary: 'Ask for an intermediate whose certificate a root elsewhere signs.',
  description: `Makes the key here and prints the certification request (PKCS #10).\n${beside}`,
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'For the PKI of the company', line: 'countersign ca csr > intermediate.csr' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/ca-root.ts')).caCsr,
}

/** Take the certificate that a root elsewhere signed. */
export const caImportCommand: Command = {
  name: 'ca import',
  summary: 'Take the certificate that a root elsewhere signed.',
  description: `CHAIN is PEM, the new certificate first, the root last; everything that clients will demand of it is checked. It issues after "countersign ca activate".\n${beside}`,
  subjects: 'NAME CHAIN',
  least: 2,
  most: 2,
  examples: [{ text: 'What came back', line: 'countersign ca import ca-intermediate-2 chain.pem' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/ca-root.ts')).caImport,
}
