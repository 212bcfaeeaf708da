/** A trusted root out of PEM files: cosign's `--ca-roots`, `--certificate-chain` and `--timestamp-certificate-chain`. It has no logs. */
import { CountersignError } from '@countersign/core/failure'
import { decodePem } from '@countersign/core/pem'
import type { AuthorityInstance, TrustedRoot } from '@countersign/core/trust/model'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { readInput } from '../terminal/input.ts'

const maxBytes = 1_048_576

/** Reads the files that the flags name. Throws `usage` where they contradict each other. */
export async function trustedRootFromPem(flag: (name: string) => string | undefined): Promise<TrustedRoot> {
  const roots = flag('ca-roots')
  const chain = flag('certificate-chain')
  const intermediates = flag('ca-intermediates')
  const timestamps = flag('timestamp-certificate-chain')
  if (roots !== undefined && chain !== undefined) {
    throw new CountersignError('usage', '--ca-roots and --certificate-chain contradict each other', { hint: 'Give one of them.' })
  }
  if (intermediates !== undefined && roots === undefined) {
    throw new CountersignError('usage', '--ca-intermediates needs --ca-roots', { hint: 'Name the root certificates too.' })
  }
  const authorities: AuthorityInstance[] = []
  if (roots !== undefined) {
    // Every root may have issued through every intermediate: each root is an authority of its own.
    const between = intermediates === undefined ? [] : await certificatesIn(intermediates)
    for (const root of await certificatesIn(roots)) authorities.push(authorityOf([...between, root], roots))
  }
  if (chain !== undefined) authorities.push(authorityOf(await certificatesIn(chain), chain))
  return {
    logs: [],
    ctLogs: [],
    certificateAuthorities: authorities,
    timestampAuthorities: timestamps === undefined ? [] : [authorityOf(await certificatesIn(timestamps), timestamps)],
  }
}

/** The certificates of a PEM file, DER, at least one. */
export async function certificatesIn(path: string): Promise<readonly Uint8Array[]> {
  const blocks = decodePem(Buffer.from(await readInput(path, maxBytes)).toString('latin1'), 'CERTIFICATE')
  if (blocks.length === 0)
    throw new CountersignError('pem_malformed', `${path} holds no certificate`, { expected: 'PEM blocks of type CERTIFICATE' })
  return blocks.map((block) => block.bytes)
}

/** An authority with a chain, named after its root, valid from when its issuing certificate is. */
export function authorityOf(certificates: readonly Uint8Array[], uri: string): AuthorityInstance {
  const [first] = certificates
  const last = certificates.at(-1)
  if (first === undefined || last === undefined) throw new CountersignError('internal', 'an authority without certificates')
  const name = parseCertificate(last).subject.text
  return {
    organization: component(name, 'O'),
    commonName: component(name, 'CN'),
    uri,
    certificates,
    validFor: { start: parseCertificate(first).notBeforeMs },
  }
}

/** One component of a name in the text form of RFC 4514, without its escapes; empty when absent. For people only. */
function component(name: string, keyword: string): string {
  const value = new RegExp(`(?:^|[,+])${keyword}=((?:\\\\.|[^,+\\\\])*)`).exec(name)?.[1] ?? ''
  return value.replaceAll(/\\(.)/g, '$1')
}
