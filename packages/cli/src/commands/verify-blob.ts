/** `countersign verify-blob`: flags and help. */
import type { Command } from '../command/model.ts'
import { batchFlags, failOnFlag } from '../flags/batch.ts'
import { blobDemandFlags, demandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'

/** Verifies signatures of files. */
export const verifyBlobCommand: Command = {
  name: 'verify-blob',
  summary: 'Verify signatures of files.',
  description:
    'Files are read once, as a stream; - reads stdin. Without --bundle and --signature the bundle is FILE.sigstore.json.\nThe result goes to stderr as "Verified OK".',
  subjects: 'FILE…',
  least: 1,
  insteadOfSubjects: 'file',
  most: 10_000,
  examples: [
    { text: 'Verify a file', line: 'countersign verify-blob --key cosign.pub --bundle app.tar.gz.sigstore.json app.tar.gz' },
    { text: 'Verify several files, each with a bundle beside it', line: 'countersign verify-blob --key cosign.pub dist/a.zip dist/b.zip' },
    { text: 'Verify a folder, each file with its signature beside it', line: 'countersign verify-blob --key cosign.pub dist' },
    { text: 'Verify the files of a signed list', line: 'countersign verify-blob --key cosign.pub -f dist/SHA256SUMS' },
    {
      text: 'Verify while downloading',
      line: 'fetch-it | tee app.tar.gz | countersign verify-blob --key cosign.pub --bundle app.sigstore.json -',
    },
    { text: 'Verify a detached signature', line: 'countersign verify-blob --key cosign.pub --signature app.sig app.tar.gz' },
    {
      text: 'Judge by a policy; bundles of several signers are FILE.NAME.sigstore.json',
      line: 'countersign verify-blob --policy policy.yaml --key alice.pub --key bob.pub dist/app.tar.gz',
    },
  ],
  flags: [...batchFlags, failOnFlag, ...policyFlags, ...signerFlags, ...demandFlags, ...blobDemandFlags],
  body: async () => (await import('../verbs/verify-blob.ts')).verifyBlobs,
}
