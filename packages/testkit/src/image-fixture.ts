/** Small images, indexes and keys for tests of signing and verifying. */
import { generateKeyPairSync } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import type { Descriptor } from '@countersign/core/oci/model'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { openSigner } from '@countersign/sdk/keys/file-signer'
import type { Repository } from '@countersign/sdk/registry/repository'
import type { Signer } from '@countersign/sdk/sign/signer'
import { sha256Digest } from './memory-repository.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

/** A fresh key that signs. */
export function testSigner(type: 'P-256' | 'P-384' | 'P-521' | 'ed25519' | 'rsa' = 'P-256'): Signer {
  const der = { type: 'pkcs8', format: 'der' } as const
  if (type === 'ed25519') return openSigner(generateKeyPairSync('ed25519').privateKey.export(der))
  if (type === 'rsa') return openSigner(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(der))
  return openSigner(generateKeyPairSync('ec', { namedCurve: type }).privateKey.export(der))
}

/** A policy that trusts these signers' keys and asks for nothing else. */
export function keyPolicy(signers: readonly Signer[], content: VerifyPolicy['content'] = { kind: 'signature' }): VerifyPolicy {
  const notDemanded = { kind: 'not_demanded' } as const
  return {
    signer: { kind: 'keys', keys: signers.map((signer, at) => ({ key: signer.publicKey, label: `key ${at}` })) },
    content,
    log: notDemanded,
    sct: notDemanded,
    signedTimestamp: notDemanded,
    claims: { kind: 'required' },
  }
}

/** Pushes an image whose only layer is `content`, under a tag if one is given. */
export async function pushImage(repository: Repository, content: string, tag?: string): Promise<Descriptor> {
  const config = utf8(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, content }))
  const layer = utf8(content)
  await Promise.all([repository.putBlob(config), repository.putBlob(layer)])
  const bytes = utf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256Digest(config), size: config.length },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256Digest(layer), size: layer.length }],
    }),
  )
  return put(repository, bytes, manifestType, tag)
}

/** Pushes an index of manifests that are there. */
export async function pushIndex(repository: Repository, manifests: readonly Descriptor[], tag?: string): Promise<Descriptor> {
  const listed = manifests.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }))
  return put(repository, utf8(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: listed })), indexType, tag)
}

async function put(repository: Repository, bytes: Uint8Array, mediaType: string, tag: string | undefined): Promise<Descriptor> {
  const digest = sha256Digest(bytes)
  await repository.putManifest(tag === undefined ? { digest } : { tag }, bytes, mediaType)
  return { mediaType, digest, size: bytes.length }
}
