/** The files that the TUF repository distributes: trusted root and signing config, and what clients of before 2024 read instead. */
import { utf8 } from '@countersign/core/bytes'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { encodePem } from '@countersign/core/pem'
import type { JsonObject } from '@countersign/core/json/parse'
import { serializeSigningConfig } from '@countersign/core/trust/signing-config'
import { serializeTrustedRoot } from '@countersign/core/trust/trusted-root'
import { signingConfigOf, trustedRootOf } from './anchors.ts'
import type { TrustInstance } from './instances.ts'

/** A file, and what the metadata says of it beside its digest. */
export type TargetFile = { readonly bytes: Uint8Array; readonly custom?: JsonObject }

/** All files by name. They depend on the registry alone: time alone never makes other files, which offline keys would have to sign. */
export async function targetFiles(instances: readonly TrustInstance[]): Promise<ReadonlyMap<string, TargetFile>> {
  const files = new Map<string, TargetFile>()
  files.set('trusted_root.json', { bytes: serializeTrustedRoot(await trustedRootOf(instances)) })
  files.set('signing_config.v0.2.json', { bytes: serializeSigningConfig(signingConfigOf(instances)) })
  for (const { name, text, usage, instance } of legacyFiles(instances)) {
    // `Expired` keys still verify what they signed.
    const status = instance.validFor.end === undefined ? 'Active' : 'Expired'
    files.set(name, { bytes: utf8(text), custom: { sigstore: { status, uri: instance.url, usage } } })
  }
  return files
}

/** One of the older files. */
export type LegacyFile = { readonly name: string; readonly text: string; readonly usage: string; readonly instance: TrustInstance }

/**
 * Keys and certificates one by one, under the names that Sigstore's own repository had. The first instance of a role has the plain name, later
 * ones are numbered, so that no name ever means another key. Rekor v2 has no such file: those clients cannot read it.
 */
export function legacyFiles(instances: readonly TrustInstance[]): readonly LegacyFile[] {
  const seen = new Map<string, number>()
  return instances.flatMap((instance) => {
    const number = (seen.get(instance.role) ?? 0) + 1
    seen.set(instance.role, number)
    return filesOf(instance, number)
  })
}

function filesOf(instance: TrustInstance, number: number): readonly LegacyFile[] {
  const { anchor, role } = instance
  const suffix = number === 1 ? '' : `_${number}`
  if (anchor.kind === 'key') {
    const usage = role === 'ct' ? 'CTFE' : 'Rekor'
    if (role === 'rekor2') return []
    return [{ name: `${role === 'ct' ? 'ctfe' : 'rekor'}${suffix}.pub`, text: encodePublicKeyPem(anchor.publicKey), usage, instance }]
  }
  if (anchor.kind !== 'chain') return []
  const pem = anchor.certificates.map((der) => encodePem('CERTIFICATE', der))
  const file = (name: string, texts: readonly string[]): LegacyFile => ({
    name,
    text: texts.join(''),
    usage: role === 'ca' ? 'Fulcio' : 'TSA',
    instance,
  })
  if (role === 'ca') {
    const intermediates = pem.slice(0, -1)
    return [
      file(`fulcio_v${number}.crt.pem`, pem.slice(-1)),
      ...(intermediates.length === 0 ? [] : [file(`fulcio_intermediate_v${number}.crt.pem`, intermediates)]),
    ]
  }
  return [
    file(`tsa_leaf${suffix}.crt.pem`, pem.slice(0, 1)),
    ...pem.slice(1, -1).map((text, i) => file(`tsa_intermediate_${i}${suffix}.crt.pem`, [text])),
    file(`tsa_root${suffix}.crt.pem`, pem.slice(-1)),
  ]
}
