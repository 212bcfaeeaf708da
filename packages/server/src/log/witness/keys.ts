/** The keys of this witness: Ed25519 among the keys of the services, ML-DSA-44, which those do not have, as a sealed secret. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { cosignatureSigner, type NoteSigner } from '@countersign/core/note/sign'
import { formatSubtreeVerifierKey, mlDsa44Bytes, subtreeCosignatureSigner } from '@countersign/core/note/subtree-cosignature'
import { formatVerifierKey, verifierKey } from '@countersign/core/note/verifier-key'
import type { Clock } from '../../base/clock.ts'
import { plain, serverPrimitives } from '../../base/crypto/primitives.ts'
import type { Database, Migration } from '../../base/database/database.ts'
import type { KeyStore, RoleKey, SecretBox } from '../../base/keys/role-key.ts'

/** The table of sealed keys. */
export const witnessKeyMigrations: readonly Migration[] = [
  {
    name: 'witness-0002-sealed-keys',
    up: async (database, types) => {
      await database.schema
        .createTable('witness_sealed_keys')
        .addColumn('name', types.text, (column) => column.primaryKey())
        .addColumn('sealed', types.bytes, (column) => column.notNull())
        .execute()
    },
  },
]

/** What keys are made with and kept in. */
export type WitnessKeyPorts = {
  readonly database: Database
  readonly keys: KeyStore
  readonly secrets: SecretBox
  readonly clock: Clock
}

/** What a witness signs with, and how others name it. */
export type WitnessKeys = { readonly signers: readonly NoteSigner[]; readonly verifierKeys: readonly string[] }

const keyName = 'witness-1'
const sealedName = 'witness-ml-dsa-44-1'

/**
 * Opens the keys of the witness of this name. They are made when it has never cosigned anything; afterwards their absence is an error:
 * `key_missing`. The ML-DSA-44 key is there where Node has the algorithm.
 */
export async function openWitnessKeys(ports: WitnessKeyPorts, name: string): Promise<WitnessKeys> {
  const nowSeconds = (): number => Math.floor(ports.clock() / 1000)
  const key = await openOrCreate(ports)
  const signers = [await cosignatureSigner(serverPrimitives, name, key.publicKey, key.sign, nowSeconds)]
  const verifierKeys = [formatVerifierKey(await verifierKey(serverPrimitives, 'witness', name, key.publicKey))]
  const second = await openOrCreateMlDsa(ports)
  if (second !== undefined) {
    const raw = plain(createPublicKey(second).export({ format: 'der', type: 'spki' })).slice(-mlDsa44Bytes.publicKey)
    const signer = await subtreeCosignatureSigner(serverPrimitives, name, raw, (message) => plain(sign(null, message, second)), nowSeconds)
    signers.push(signer)
    verifierKeys.push(formatSubtreeVerifierKey(signer, raw))
  }
  return { signers, verifierKeys }
}

async function openOrCreate({ database, keys }: WitnessKeyPorts): Promise<RoleKey> {
  if ((await keys.names()).includes(keyName)) return keys.open(keyName)
  // A witness that loses its key and makes another is another witness, to which a log may show another tree.
  const [cosigned] = await database.raw.query<{ log: string }>('select log from witness_trees limit 1')
  if (cosigned !== undefined) return keys.open(keyName)
  try {
    return await keys.create(keyName, 'ed25519')
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'key_exists') throw cause
    return keys.open(keyName)
  }
}

async function openOrCreateMlDsa({ database, secrets }: WitnessKeyPorts): Promise<KeyObject | undefined> {
  const sealed = async (): Promise<Uint8Array | undefined> => {
    const [row] = await database.raw.query<{ sealed: Uint8Array }>('select sealed from witness_sealed_keys where name = ?', [sealedName])
    return row?.sealed
  }
  if ((await sealed()) === undefined) {
    const made = generateMlDsa()
    if (made === undefined) return undefined
    const bytes = secrets.seal(sealedName, plain(made.export({ format: 'der', type: 'pkcs8' })))
    // Of two processes that start at once, the first one's stays.
    await database.raw.insert('witness_sealed_keys', ['name', 'sealed'], [[sealedName, bytes]], 'ignore')
  }
  const pkcs8 = secrets.open(sealedName, (await sealed()) as Uint8Array)
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
}

/** OpenSSL has it since 3.5. */
function generateMlDsa(): KeyObject | undefined {
  try {
    return generateKeyPairSync('ml-dsa-44').privateKey
  } catch (cause) {
    if (cause instanceof Error && /unsupported|not supported|invalid/i.test(cause.message)) return undefined
    throw cause
  }
}
