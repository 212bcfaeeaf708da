/** One change per thing that a verifier must check, of a bundle that is sound, or of the trust that it is verified by. */

/** The parts of a bundle that are changed. */
type BundleJson = {
  verificationMaterial: {
    certificate: { rawBytes: string }
    tlogEntries: [
      {
        logIndex: string
        logId: { keyId: string }
        kindVersion: { kind: string; version: string }
        integratedTime?: string
        inclusionPromise?: { signedEntryTimestamp: string }
        inclusionProof: { logIndex: string; rootHash: string; treeSize: string; hashes: string[]; checkpoint: { envelope: string } }
        canonicalizedBody: string
      },
    ]
    timestampVerificationData: { rfc3161Timestamps: { signedTimestamp: string }[] }
  }
  messageSignature: { messageDigest: { digest: string }; signature: string }
}

type RootJson = {
  tlogs: object[]
  ctlogs: { publicKey: { rawBytes: string }; logId: { keyId: string } }[]
  certificateAuthorities: object[]
  timestampAuthorities: object[]
}

/** What is verified, and by what. */
export type Case = { readonly bundle: BundleJson; readonly trustedRoot: RootJson }

/** Who verifies. */
export type Verdicts = Readonly<Record<'ours' | 'cosign' | 'js', string>>

/** A change, and who accepts it with which version of the log: `reason` says what makes it harmless there. */
export type Mutation = {
  readonly name: string
  readonly change: (sound: Case, ofAnother: BundleJson) => void
  readonly accepted?: { readonly reason: string; readonly by: Partial<Record<1 | 2, readonly (keyof Verdicts)[]>> }
  readonly only?: 1 | 2
}

const otherTime = 'Rekor v1 signs the time of an entry: a timestamp is one more'
const sameRoot = 'the root is read from the checkpoint alone'

const entryOf = ({ bundle }: Case): BundleJson['verificationMaterial']['tlogEntries'][0] => bundle.verificationMaterial.tlogEntries[0]

/** Base64 with one bit of one byte changed, counted from the end. */
function flip(base64: string, fromEnd = 1): string {
  const bytes = Buffer.from(base64, 'base64')
  bytes[bytes.length - fromEnd] = (bytes[bytes.length - fromEnd] as number) ^ 1
  return bytes.toString('base64')
}

/** All of them. */
export const mutations: readonly Mutation[] = [
  { name: 'signature', change: ({ bundle }) => void (bundle.messageSignature.signature = flip(bundle.messageSignature.signature)) },
  {
    name: 'digest',
    change: ({ bundle: { messageSignature } }) =>
      void (messageSignature.messageDigest.digest = flip(messageSignature.messageDigest.digest)),
  },
  {
    name: 'certificate',
    change: ({ bundle: { verificationMaterial } }) =>
      void (verificationMaterial.certificate.rawBytes = flip(verificationMaterial.certificate.rawBytes)),
  },
  {
    name: 'certificate of another person',
    change: ({ bundle }, another) => void (bundle.verificationMaterial.certificate = another.verificationMaterial.certificate),
  },
  { name: 'everything of another person', change: ({ bundle }, another) => void Object.assign(bundle, another) },
  {
    name: 'SCT of a log that is not trusted',
    change: ({ trustedRoot: { ctlogs } }) => {
      for (const log of ctlogs) log.logId.keyId = flip(log.logId.keyId)
    },
  },
  { name: 'no CT log', change: ({ trustedRoot }) => void (trustedRoot.ctlogs = []) },
  { name: 'no certificate authority', change: ({ trustedRoot }) => void (trustedRoot.certificateAuthorities = []) },
  { name: 'no transparency log', change: ({ trustedRoot }) => void (trustedRoot.tlogs = []) },
  {
    name: 'no timestamp authority',
    accepted: { reason: otherTime, by: { 1: ['ours', 'cosign'] } },
    change: ({ trustedRoot }) => void (trustedRoot.timestampAuthorities = []),
  },
  { name: 'no entry', change: ({ bundle }) => void (bundle.verificationMaterial.tlogEntries as object[]).splice(0) },
  {
    name: 'entry of another signature',
    change: ({ bundle }, another) => void (bundle.verificationMaterial.tlogEntries = another.verificationMaterial.tlogEntries),
  },
  {
    name: 'checkpoint signature',
    change: (sound) => {
      const { checkpoint } = entryOf(sound).inclusionProof
      const [start, signature = ''] = checkpoint.envelope.trimEnd().split(/ (?=\S+$)/)
      checkpoint.envelope = `${start} ${flip(signature)}\n`
    },
  },
  {
    name: 'root hash in the checkpoint',
    change: (sound) => {
      const { checkpoint } = entryOf(sound).inclusionProof
      checkpoint.envelope = checkpoint.envelope.replace(/^(.*\n.*\n)(.*)\n/, (_, start: string, hash: string) => `${start}${flip(hash)}\n`)
    },
  },
  {
    name: 'root hash in the proof',
    accepted: { reason: sameRoot, by: { 1: ['js'], 2: ['cosign', 'js'] } },
    change: (sound) => void (entryOf(sound).inclusionProof.rootHash = flip(entryOf(sound).inclusionProof.rootHash)),
  },
  {
    name: 'hash of the proof',
    change: (sound) => {
      const { inclusionProof } = entryOf(sound)
      inclusionProof.hashes = inclusionProof.hashes.map((hash) => flip(hash))
    },
  },
  { name: 'hash less', change: (sound) => void entryOf(sound).inclusionProof.hashes.pop() },
  {
    name: 'index in the proof',
    accepted: { reason: 'cosign proves the index of the entry', by: { 2: ['cosign'] } },
    change: (sound) => void (entryOf(sound).inclusionProof.logIndex = String(Number(entryOf(sound).inclusionProof.logIndex) - 1)),
  },
  {
    name: 'index of the entry',
    accepted: { reason: '@sigstore/verify proves the index in the proof', by: { 2: ['js'] } },
    change: (sound) => void (entryOf(sound).logIndex = String(Number(entryOf(sound).logIndex) - 1)),
  },
  { name: 'name of the log', change: (sound) => void (entryOf(sound).logId.keyId = flip(entryOf(sound).logId.keyId)) },
  {
    name: 'kind of the entry',
    accepted: { reason: 'cosign knows the kind by the body', by: { 1: ['cosign'], 2: ['cosign'] } },
    change: (sound) => void (entryOf(sound).kindVersion = { kind: 'dsse', version: '0.0.1' }),
  },
  {
    name: 'body of the entry',
    accepted: { reason: 'cosign makes the body anew', by: { 2: ['cosign'] } },
    change: (sound) => {
      // Still JSON, with another signature in it.
      const body = Buffer.from(entryOf(sound).canonicalizedBody, 'base64').toString()
      entryOf(sound).canonicalizedBody = Buffer.from(body.replace('"content":"M', '"content":"N')).toString('base64')
    },
  },
  {
    name: 'signed entry timestamp',
    only: 1,
    change: (sound) => {
      const { inclusionPromise } = entryOf(sound)
      if (inclusionPromise !== undefined) inclusionPromise.signedEntryTimestamp = flip(inclusionPromise.signedEntryTimestamp)
    },
  },
  {
    name: 'time of the entry',
    only: 1,
    change: (sound) => void (entryOf(sound).integratedTime = String(Number(entryOf(sound).integratedTime) + 1)),
  },
  {
    name: 'timestamp',
    accepted: { reason: otherTime, by: { 1: ['cosign'] } },
    change: ({ bundle }) => {
      for (const stamp of bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps)
        stamp.signedTimestamp = flip(stamp.signedTimestamp)
    },
  },
  {
    name: 'timestamp of another signature',
    accepted: { reason: otherTime, by: { 1: ['cosign'] } },
    change: ({ bundle }, another) =>
      void (bundle.verificationMaterial.timestampVerificationData = another.verificationMaterial.timestampVerificationData),
  },
  {
    name: 'no timestamp',
    accepted: { reason: otherTime, by: { 1: ['ours', 'cosign', 'js'] } },
    change: ({ bundle }) => void (bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps = []),
  },
]
