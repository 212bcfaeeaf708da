/** `countersign trusted-root create`. */
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { noteKeyId } from '@countersign/core/note/key-id'
import type { AuthorityInstance, LogInstance, TrustedRoot } from '@countersign/core/trust/model'
import { serializeTrustedRoot } from '@countersign/core/trust/trusted-root'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { readInput } from '../terminal/input.ts'
import { authorityOf, certificatesIn } from '../trust/from-pem.ts'
import { serviceSpec, specTimes } from '../trust/service-spec.ts'
import { writeDocument } from './write-document.ts'

const maxKeyBytes = 65_536

/** Builds the trusted root that the flags describe. */
export async function createTrustedRoot(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const each = <T>(flag: string, read: (flag: string, text: string) => Promise<T>): Promise<readonly T[]> =>
    Promise.all(flags.list(flag).map((text) => read(flag, text)))
  const root: TrustedRoot = {
    logs: await each('rekor', readLog),
    certificateAuthorities: await each('fulcio', readAuthority),
    ctLogs: await each('ctfe', readLog),
    timestampAuthorities: await each('tsa', readAuthority),
  }
  return writeDocument(invocation, 'trusted root', serializeTrustedRoot(root))
}

async function readAuthority(flag: string, text: string): Promise<AuthorityInstance> {
  const spec = serviceSpec(flag, text, ['url', 'certificate-chain'], ['start-time', 'end-time'])
  const authority = authorityOf(await certificatesIn(spec.get('certificate-chain')), spec.get('url'))
  return { ...authority, validFor: specTimes(flag, spec, authority.validFor.start) }
}

async function readLog(flag: string, text: string): Promise<LogInstance> {
  const spec = serviceSpec(flag, text, ['url', 'public-key', 'start-time'], ['end-time', 'origin'])
  const publicKey = parsePublicKeyPem(Buffer.from(await readInput(spec.get('public-key'), maxKeyBytes)).toString('latin1'))
  const origin = spec.find('origin')
  // Rekor v2 binds the name of the log into its key identifier (C2SP signed notes); Rekor v1 and CT logs do not (RFC 6962 §3.2).
  const logId =
    origin === undefined ? await nodePrimitives.hash('sha256', publicKey.spki) : await noteKeyId(nodePrimitives, origin, publicKey)
  const { name } = defaultAlgorithm(publicKey)
  return { baseUrl: spec.get('url'), hashAlgorithm: 'sha256', publicKey, algorithm: name, validFor: specTimes(flag, spec), logId }
}
