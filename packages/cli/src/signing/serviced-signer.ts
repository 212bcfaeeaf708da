/** Signers that ask services: keyless ones, and keys of one's own whose signatures are logged and stamped. */
import { parseCertificate } from '@countersign/core/x509/certificate'
import { fulcioIdentity } from '@countersign/core/x509/fulcio'
import { keylessSigner, recordedSigner } from '@countersign/sdk/keyless/signer'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'
import { printable } from '../failure/message.ts'
import { identityToken } from './identity-token.ts'
import { servicesInForce, signingSetup } from './services.ts'

/** A key for this run alone, certified for whoever the identity token names. */
export async function keyless(invocation: Invocation): Promise<Signer> {
  const setup = await signingSetup(invocation, await servicesInForce(invocation))
  const signer = await keylessSigner(await identityToken(invocation, setup), setup)
  const { certificate } = signer.services ?? {}
  // Whoever has several logins sees now, and not at the first verification, which of them this was.
  if (certificate !== undefined) {
    const { subject, issuer } = fulcioIdentity(parseCertificate(certificate))
    invocation.terminal.err(`Signing as ${printable(subject)} (issuer ${printable(issuer)})\n`)
  }
  return signer
}

/** The signer, with what the services in force say of its signatures. */
export async function withServices(invocation: Invocation, signer: Signer): Promise<Signer> {
  const config = await servicesInForce(invocation)
  // A config that names no service says that the registry alone is contacted.
  if (config.logUrls.length === 0 && config.timestampUrls.length === 0) return signer
  return recordedSigner(signer, await signingSetup(invocation, config))
}
