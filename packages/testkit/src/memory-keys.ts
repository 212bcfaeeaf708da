/** Keys of the services in memory: as a process has them once their files are open. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { plain } from '@countersign/server/base/crypto/primitives'
import { roleKey } from '@countersign/server/base/keys/key-files'
import type { KeyStore, RoleKey, RoleKeyType } from '@countersign/server/base/keys/role-key'

/** A new key. */
export function memoryKey(name: string, type: RoleKeyType = 'ec-p256'): RoleKey {
  return roleKey(name, generate(type))
}

/** A key that was exported, PKCS#8 DER. */
export function importedKey(name: string, pkcs8: Uint8Array): RoleKey {
  return roleKey(name, createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }))
}

/** An empty store; `remove` takes a key away, as when it goes offline. */
export function memoryKeys(): KeyStore {
  const keys = new Map<string, { readonly key: RoleKey; readonly privateKey: KeyObject }>()
  const find = (name: string): { readonly key: RoleKey; readonly privateKey: KeyObject } => {
    const key = keys.get(name)
    if (key === undefined) throw new CountersignError('key_missing', `there is no key ${name}`)
    return key
  }
  return {
    create: async (name, type) => {
      if (keys.has(name)) throw new CountersignError('key_exists', name)
      const privateKey = generate(type)
      const key = roleKey(name, privateKey)
      keys.set(name, { key, privateKey })
      return key
    },
    open: async (name) => find(name).key,
    names: async () => [...keys.keys()],
    exportPrivateKey: async (name) => plain(find(name).privateKey.export({ type: 'pkcs8', format: 'der' })),
    remove: async (name) => void keys.delete(name),
  }
}

function generate(type: RoleKeyType): KeyObject {
  if (type === 'ed25519') return generateKeyPairSync('ed25519').privateKey
  if (type === 'rsa-2048' || type === 'rsa-3072') return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(4)) }).privateKey
  return generateKeyPairSync('ec', { namedCurve: type === 'ec-p384' ? 'P-384' : 'P-256' }).privateKey
}
