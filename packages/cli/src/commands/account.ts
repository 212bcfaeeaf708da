/** `countersign account …` and `countersign token`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

const beside = 'Works while the server runs, and needs its data folder. Everything is in the audit log.'

/** Makes an account. */
export const accountCreateCommand: Command = {
  name: 'account create',
  summary: 'Make an account of the built-in identity provider.',
  description: `The address stands in certificates, and belongs to this account for ever, also after it is disabled. A person gets a link to set a password, which works once and for 15 minutes; a service gets a secret, shown once.\n${beside}`,
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [
    { text: 'A person', line: 'countersign account create ada --email ada@example.org' },
    { text: 'A program that signs', line: 'countersign account create builder --email builder@example.org --service' },
  ],
  flags: [
    {
      name: 'email',
      kind: 'text',
      value: 'ADDRESS',
      help: 'address in certificates',
      default: 'NAME at the host of the installation',
      commandLineOnly: true,
    },
    { name: 'service', kind: 'boolean', help: 'the account of a program', commandLineOnly: true },
    { name: 'administrator', kind: 'boolean', help: 'may administer the installation', commandLineOnly: true },
    ...installationFlags,
  ],
  body: async () => (await import('../verbs/account.ts')).accountCreate,
}

/** Lists accounts. */
export const accountListCommand: Command = {
  name: 'account list',
  summary: 'List the accounts of the built-in identity provider.',
  description: beside,
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'All of them', line: 'countersign account list' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/account.ts')).accountList,
}

/** Disables an account. */
export const accountDisableCommand: Command = {
  name: 'account disable',
  summary: 'Disable an account: it logs in no more and gets no tokens.',
  description: `What it signed stays valid; revoke its identity in a policy where that is not wanted. An account is never enabled again and never deleted.\n${beside}`,
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [{ text: 'Somebody left', line: 'countersign account disable ada' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/account.ts')).accountDisable,
}

/** Makes a login link. */
export const accountLinkCommand: Command = {
  name: 'account link',
  summary: 'Print a link by which a person sets a new password, once and within 15 minutes.',
  description: beside,
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [{ text: 'A password was forgotten', line: 'countersign account link ada' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/account.ts')).accountLink,
}

/** Renews a secret. */
export const accountSecretCommand: Command = {
  name: 'account secret',
  summary: 'Print a new secret of a service account; the one before ends.',
  description: beside,
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [{ text: 'Rotate a secret', line: 'countersign account secret builder' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/account.ts')).accountSecret,
}

/** Enrols an authenticator. */
export const accountTotpCommand: Command = {
  name: 'account totp',
  summary: 'Demand one-time passwords of a person from now on, and print what an authenticator reads.',
  description: `Prints an otpauth URI (RFC 6238) for an authenticator, which takes its secret as text or as a QR code; whoever has it has the passwords. Sessions of the account end. Again: another authenticator, in place of the one before.\n${beside}`,
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [
    { text: 'A second factor', line: 'countersign account totp ada' },
    { text: 'As a QR code in the terminal', line: 'countersign account totp ada | qrencode -t ansiutf8' },
  ],
  flags: installationFlags,
  body: async () => (await import('../verbs/account.ts')).accountTotp,
}

/** Issues a token. */
export const tokenCommand: Command = {
  name: 'token',
  summary: 'Print an identity token of an account, for signing within ten minutes.',
  description: `For --identity-token of countersign and cosign: RS256, audience sigstore. Whoever has it signs as that account.\n${beside}`,
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [
    {
      text: 'Sign as a service account',
      line: 'countersign sign --identity-token "$(countersign token builder)" registry.example/app@sha256:…',
    },
  ],
  flags: installationFlags,
  body: async () => (await import('../verbs/account.ts')).token,
}
