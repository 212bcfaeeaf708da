/** Witnesses of a process: those that it asks, and the one that it is. */
import { CountersignError } from '@countersign/core/failure'
import { parseVerifierKey, type VerifierKey } from '@countersign/core/note/verifier-key'
import { parseWitnessPolicy, satisfies, type WitnessPolicyDocument } from '@countersign/core/note/witness-policy'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import { readFileIfThere } from '../base/data-folder/durable-file.ts'
import { parsePublicUrl } from '../base/http/address.ts'
import type { Service } from '../base/http/service.ts'
import type { Cosign } from '../log/engine/integrate.ts'
import { type Witness, witnessClient, type WitnessPolicy } from '../log/witness/client.ts'
import { openWitnessKeys } from '../log/witness/keys.ts'
import { postTextThrough } from '../log/witness/post-text.ts'
import { witnessService } from '../log/witness/service.ts'
import type { ServiceAddresses } from './addresses.ts'
import type { ServerPlatform } from './platform.ts'
import type { WitnessConfiguration } from './witness-configuration.ts'

/** Asks the witnesses that the configuration names; `undefined` when it names none. Throws `config_malformed`, `policy_malformed`, `key_malformed`, `file_not_found`. */
export async function witnessesOf({ configuration, log, environment }: ServerPlatform): Promise<Cosign | undefined> {
  const { witness } = configuration.log
  if (witness.policy === undefined && witness.witnesses.length === 0) return undefined
  const asked = await askedOf(witness)
  return witnessClient({
    ...asked,
    deadlineMs: witness.deadline,
    whenFewer: witness.whenFewer,
    post: postTextThrough(environment),
    failed: ({ key }, failure) => log.warn({ err: failure, witness: key.name }, 'witness gave no cosignature'),
  })
}

/** Reads every key that the configuration has of witnesses and logs. Throws as {@link witnessesOf} and {@link composeWitness}. */
export async function checkWitnesses({ witness, witnessFor }: ServerPlatform['configuration']['log']): Promise<void> {
  await askedOf(witness)
  for (const text of witnessFor) await keyOf(text, 'log')
}

async function askedOf(witness: WitnessConfiguration): Promise<Asked> {
  return witness.policy === undefined ? listed(witness) : ofPolicy(witness.policy)
}

type Asked = Pick<WitnessPolicy, 'witnesses' | 'quorum'>

async function listed({ witnesses, quorum = witnesses.length }: WitnessConfiguration): Promise<Asked> {
  if (quorum > witnesses.length)
    throw new CountersignError('config_malformed', `log.witness.quorum is ${quorum}, but there are ${witnesses.length} witnesses`)
  return { witnesses: await Promise.all(witnesses.map(async ({ key, url }) => ({ url, key: await keyOf(key, 'witness') }))), quorum }
}

async function ofPolicy(path: string): Promise<Asked> {
  const bytes = await readFileIfThere(path)
  if (bytes === undefined)
    throw new CountersignError('file_not_found', `there is no file ${path}`, { hint: 'It is named as log.witness.policy.' })
  const { witnesses, quorum }: WitnessPolicyDocument = await parseWitnessPolicy(serverPrimitives, bytes)
  const asked = witnesses.flatMap(({ name, key, url }) => (url === undefined ? [] : [{ name, key, url: parsePublicUrl(url) }]))
  const names = new Map<Witness, string>(asked.map((witness) => [witness, witness.name]))
  return {
    witnesses: asked,
    quorum: (held) => {
      const cosigned = new Set(held.map((witness) => names.get(witness)))
      return satisfies(quorum, (name) => cosigned.has(name))
    },
  }
}

/** `/witness`, where the configuration names logs; their names are their origins. */
export async function composeWitness(platform: ServerPlatform, { host }: ServiceAddresses): Promise<readonly Service[]> {
  const { witnessFor } = platform.configuration.log
  if (witnessFor.length === 0) return []
  const logs = await Promise.all(witnessFor.map((text) => keyOf(text, 'log')))
  const keys = await openWitnessKeys(platform, `${host}/witness`)
  return [witnessService({ ...keys, database: platform.database, logs })]
}

async function keyOf(text: string, kind: VerifierKey['kind']): Promise<VerifierKey> {
  const key = await parseVerifierKey(serverPrimitives, text)
  if (key.kind !== kind) throw new CountersignError('key_malformed', `${key.name}: expected the verifier key of a ${kind}`)
  return key
}
