/** The part of the configuration that is about witnesses: those that are asked to cosign our log, and the logs that we cosign. */
import {
  choiceField,
  durationField,
  type Field,
  group,
  integerField,
  listField,
  maybe,
  member,
  type Member,
  parsedField,
  pathField,
} from '../base/config/field.ts'
import { parsePublicUrl } from '../base/http/address.ts'

/** A witness as it is written down. */
export type WitnessChoice = { readonly key: string; readonly url: string }

/** Who cosigns the checkpoints of our log. */
export type WitnessConfiguration = {
  readonly policy: string | undefined
  readonly witnesses: readonly WitnessChoice[]
  readonly quorum: number | undefined
  readonly whenFewer: 'open' | 'closed'
  readonly deadline: number
}

const verifierKeyField: Field<string> = parsedField('NAME+HASH+KEY', (text) =>
  /^[^\s+]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44,2000}=*$/u.test(text) ? text : undefined,
)

const none: WitnessConfiguration = { policy: undefined, witnesses: [], quorum: undefined, whenFewer: 'open', deadline: 2_000 }

const witnessField: Field<WitnessConfiguration> = group<WitnessConfiguration>({
  policy: member('File in the format of C2SP tlog-policy: witnesses, groups and quorum', maybe(pathField), none.policy),
  witnesses: member(
    'Witnesses, where there is no such file',
    listField(
      group<WitnessChoice>(
        {
          key: member('Its verifier key, as it publishes it', verifierKeyField, ''),
          url: member('Its URL, to which /add-checkpoint is added', parsedField('https://witness.example.org', parsePublicUrl), ''),
        },
        ['key', 'url'],
      ),
      64,
    ),
    none.witnesses,
    [],
  ),
  quorum: member('How many of them are enough; default all', maybe(integerField(1, 64)), none.quorum),
  whenFewer: member(
    'With fewer, serve checkpoints without them (open), or refuse entries until there are enough (closed)',
    choiceField(['open', 'closed']),
    none.whenFewer,
  ),
  deadline: member('How long entries wait for witnesses', durationField(100, 60_000), none.deadline, '2s'),
})

/** The members of the section `log` that are about witnesses. */
export const witnessMembers: { readonly witness: Member<WitnessConfiguration>; readonly witnessFor: Member<readonly string[]> } = {
  witness: member('Who cosigns the checkpoints of the Rekor v2 log', witnessField, none),
  witnessFor: member(
    'Verifier keys (Ed25519) of logs of others, which this installation cosigns at /witness',
    listField(verifierKeyField, 256),
    [],
    [],
  ),
}

/** What holds where nothing is said. */
export const noWitnesses: { readonly witness: WitnessConfiguration; readonly witnessFor: readonly string[] } = {
  witness: none,
  witnessFor: [],
}
