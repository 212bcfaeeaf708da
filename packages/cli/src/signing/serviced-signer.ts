/** Signers that ask services: keyless ones, and keys of one's own whose signatures are logged and stamped. */
import { keylessSigner, recordedSigner } from '@countersign/sdk/keyless/signer'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'
import { identityToken } from './identity-token.ts'
import { servicesInForce, signingSetup } from './services.ts'

/** A key for this run alone, certified for whoever the identity token names. */
export async function keyless(invocation: Invocation): Promise<Signer> {
  const setup = await signingSetup(invocation, await servicesInForce(invocation))
  return keylessSigner(await identityToken(invocation, setup), setup)
}

/** The signer, with what the services in force say of its signatures. */
export async function withServices(invocation: Invocation, signer: Signer): Promise<Signer> {
  const config = await servicesInForce(invocation)
  // A config that names no service says that the registry alone is contacted.
  if (config.logUrls.length === 0 && config.timestampUrls.length === 0) return signer
  return recordedSigner(signer, await signingSetup(invocation, config))
}
