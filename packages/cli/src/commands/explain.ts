/** `countersign explain`: flags and help. */
import type { Command, Flag } from '../command/model.ts'
import { attestationTypeFlag } from '../flags/attestation-type.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { blobDemandFlags, demandFlags, imageDemandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'

/** One artifact at a time, and always asked for: nothing that was kept plays a part. */
const ofRuns = /^(?:cache-dir|no-cache|max-workers|output)$/

/** What `verify` and `verify-blob` both call by one name is one flag here. */
function once(flags: readonly Flag[]): readonly Flag[] {
  return flags.filter((flag, at) => !ofRuns.test(flag.name) && flags.findIndex((other) => other.name === flag.name) === at)
}

const { default: _, ...type } = attestationTypeFlag

/** Says what a verification does. */
export const explainCommand: Command = {
  name: 'explain',
  summary: 'Verify, and say step by step what was fetched and checked, and where it failed.',
  description:
    'Does what "verify", "verify-blob" and, with --type, "verify-attestation" do with the same flags, and ends with the same exit code. Says what was demanded, every request with its answer, what was found in each layout, each check of each signature, why a signature counts or does not, and what would make it pass.',
  subjects: 'IMAGE|FILE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Why does this image not verify?', line: 'countersign explain --key cosign.pub registry.example/app:1.2' },
    {
      text: 'What does a policy make of it?',
      line: 'countersign explain --policy policy.yaml --key alice.pub --key bob.pub registry.example/app:1.2',
    },
    { text: 'A file and its bundle', line: 'countersign explain --key cosign.pub --bundle app.sigstore.json app.tar.gz' },
    { text: 'An attestation', line: 'countersign explain --key cosign.pub --type spdxjson registry.example/app:1.2' },
    { text: 'For a program', line: 'countersign explain --key cosign.pub --report json registry.example/app:1.2' },
  ],
  flags: once([
    ...policyFlags,
    ...signerFlags,
    ...demandFlags,
    ...imageDemandFlags,
    ...blobDemandFlags,
    { ...type, help: 'explain attestations of this type: a short name, or a URI' },
    signatureRepositoryFlag,
    ...registryFlags,
  ]),
  body: async () => (await import('../verbs/explain.ts')).explain,
}
