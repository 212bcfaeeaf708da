/** Keys on a token: ECDSA over digests that are made here, by a process that alone holds the module. */
import { CountersignError } from '@countersign/core/failure'
import { concatBytes } from '@countersign/core/bytes'
import { derBitString, derOid, derSequence } from '@countersign/core/der/writer'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { ecdsaSignatureToDer } from '@countersign/core/keys/ecdsa-signature'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import { hashBytes, verifyMessage } from '../crypto/primitives.ts'
import type { SignerAnswer, TokenCurve } from './pkcs11-message.ts'
import { signerProcess, type TokenOptions } from './pkcs11-process.ts'
import type { KeyStore, RoleKey } from './role-key.ts'

/** A store of keys on a token. */
export type TokenKeys = { readonly keys: KeyStore; readonly pid: () => number | undefined; readonly close: () => Promise<void> }

const curveOids: Readonly<Record<TokenCurve, string>> = { 'ec-p256': '1.2.840.10045.3.1.7', 'ec-p384': '1.3.132.0.34' }

/** Opens the keys of a token. Only P-256 and P-384: `key_unsupported` for others. */
export function pkcs11KeyStore(options: TokenOptions): TokenKeys {
  const signer = signerProcess(options)
  const roleKey = (name: string, answer: SignerAnswer): RoleKey => {
    const publicKey = publicKeyOf(answer)
    const algorithm = defaultAlgorithm(publicKey)
    return {
      name,
      publicKey,
      algorithm,
      sign: async (message) => {
        if (algorithm.scheme !== 'ecdsa') throw new CountersignError('internal', 'a token key that is not ECDSA')
        const signed = await signer.ask({ kind: 'sign', name, digest: hashBytes(algorithm.hash, message) })
        if (signed.kind !== 'signature') throw new CountersignError('internal', 'the signer answered something else')
        const signature = ecdsaSignatureToDer(new Uint8Array(signed.signature))
        // A token that fails quietly would put an invalid signature into a log.
        if (!verifyMessage(algorithm, publicKey, message, signature)) {
          throw new CountersignError('signer_unavailable', `the token gave a signature of ${name} that does not hold`)
        }
        return signature
      },
    }
  }
  const keys: KeyStore = {
    create: async (name, type) => {
      if (type !== 'ec-p256' && type !== 'ec-p384') {
        throw new CountersignError('key_unsupported', `${name} cannot be on the token`, { expected: 'P-256 or P-384', found: type })
      }
      return roleKey(name, await signer.ask({ kind: 'create', name, curve: type }))
    },
    open: async (name) => roleKey(name, await signer.ask({ kind: 'find', name })),
    names: async () => {
      const answer = await signer.ask({ kind: 'list' })
      return answer.kind === 'names' ? answer.names.toSorted() : []
    },
    exportPrivateKey: async (name) => {
      throw new CountersignError('key_not_exportable', `${name} is on a token, and stays there`)
    },
    remove: async (name) => {
      await signer.ask({ kind: 'remove', name })
    },
  }
  return { keys, pid: signer.pid, close: signer.close }
}

function publicKeyOf(answer: SignerAnswer): PublicKey {
  if (answer.kind !== 'key') throw new CountersignError('internal', 'the signer answered something else')
  const algorithm = derSequence(derOid('1.2.840.10045.2.1'), derOid(curveOids[answer.curve]))
  return parsePublicKey(derSequence(algorithm, derBitString(concatBytes(answer.point))))
}

/**
 * Keys on the token for the roles that are named, all others in files. A role is the name of a key without its number. A key of such a role that is in
 * a file already goes on there until it is rotated: so an installation moves to a token.
 */
export function splitKeyStore(files: KeyStore, token: KeyStore, roles: readonly string[]): KeyStore {
  const onToken = new Set(roles)
  const belongs = (name: string): boolean => onToken.has(name.replace(/-[0-9]+$/, ''))
  const holder = async (name: string): Promise<KeyStore> => (belongs(name) && !(await files.names()).includes(name) ? token : files)
  return {
    create: async (name, type) => {
      if (!belongs(name)) return files.create(name, type)
      // One name for one key, wherever it is.
      if ((await files.names()).includes(name)) throw new CountersignError('key_exists', `there is a key called ${name} already`)
      return token.create(name, type)
    },
    open: async (name) => (await holder(name)).open(name),
    names: async () => [...new Set([...(await files.names()), ...(await token.names()).filter(belongs)])].toSorted(),
    exportPrivateKey: async (name) => (await holder(name)).exportPrivateKey(name),
    remove: async (name) => (await holder(name)).remove(name),
  }
}
