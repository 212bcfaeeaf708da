/** Keys of the TUF repository that this installation holds itself. */
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject } from '@countersign/core/json/parse'
import type { TufRole, TufRoleKeys, TufRoot, TufSignature } from '@countersign/core/tuf/model'
import { signTufContent } from '@countersign/core/tuf/sign'
import { encodeTufMetadata, tufKey } from '@countersign/core/tuf/write'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { KeyStore, RoleKey } from '../../base/keys/role-key.ts'

/** Signs with the keys that are here. */
export type TufSigners = {
  /** Those keys of a role that are here. */
  readonly of: (role: TufRoleKeys) => readonly RoleKey[]
  /** Whether they are enough. */
  readonly suffice: (role: TufRoleKeys) => boolean
  /** Metadata of a role, signed by every key of it that is here. Throws `trust_threshold_missed` when those are too few. */
  readonly sign: (root: TufRoot, role: TufRole, content: JsonObject) => Promise<Uint8Array>
}

/** Under which root, with which keys and when metadata is signed. */
export type Signing = { readonly root: TufRoot; readonly signers: TufSigners; readonly nowMs: number }

const prefix = 'tuf-'

/** Opens all keys whose name begins with `tuf-`. */
export async function openTufSigners(keys: KeyStore): Promise<TufSigners> {
  const here = new Map<string, RoleKey>()
  for (const name of await keys.names()) {
    if (!name.startsWith(prefix)) continue
    const key = await keys.open(name)
    here.set((await tufKey(key.publicKey, serverPrimitives)).id, key)
  }
  const of = (role: TufRoleKeys): readonly RoleKey[] => {
    const found = role.keys.map(({ id }) => here.get(id))
    return [...new Set(found.filter((key) => key !== undefined))]
  }
  const suffice = (role: TufRoleKeys): boolean => of(role).length >= role.threshold
  return {
    of,
    suffice,
    sign: async (root, role, content) => {
      const needed = root.roles[role]
      if (!suffice(needed)) throw thresholdMissed(role, of(needed).length, needed.threshold)
      const signatures: TufSignature[] = []
      for (const key of of(needed)) signatures.push(await signTufContent(content, key, serverPrimitives))
      return encodeTufMetadata(content, signatures)
    },
  }
}

/** The failure for too few signatures. */
export function thresholdMissed(role: TufRole, found: number, needed: number): CountersignError {
  return new CountersignError('trust_threshold_missed', `too few signatures of the role ${role}`, {
    expected: `${needed}`,
    found: `${found}`,
    hint: 'Have the file signed by more holders of its keys, and add their signatures.',
  })
}
