/**
 * Sign, verify and attest container images and files from your own program.
 *
 * Nothing is read from the process behind your back: environment, connection, keys and trust come in as arguments.
 */
export { attestImage, signImage } from './sign/image.ts'
export type {
  AttestImageRequest,
  BlobSource,
  SignatureLayout,
  SignedBlob,
  SignedSubject,
  SignEvent,
  SignImageRequest,
  StatementSource,
  WrittenSignature,
} from './sign/requests.ts'
export type { Signer } from './sign/signer.ts'
export { verifyImage } from './verify/image.ts'
export type {
  AcceptedSignature,
  FoundLayout,
  ImageVerification,
  RejectedSignature,
  SignatureOrigin,
  VerifyImageRequest,
} from './verify/requests.ts'
export { judgeImage } from './verify/by-policy.ts'
export type { ImageVerdict, JudgeImageRequest } from './verify/by-policy.ts'
export { judgeFile } from './verify/file-by-policy.ts'
export type { FileEvidence, FileVerdict, JudgeFileRequest } from './verify/file-by-policy.ts'
export { loadPolicy } from './policy/source.ts'
export type { PolicyFileOptions } from './policy/source.ts'
export { copyImage } from './transport/copy.ts'
export type { CopiedImage, CopyRequest } from './transport/copy.ts'
export { findImages } from './manifests/find.ts'
export type { ImageMention, ManifestKind, MentionedImages } from './manifests/model.ts'
export { pinImages } from './manifests/pin.ts'
export { attestBlob, signBlob } from './blob/sign.ts'
export type { AttestBlobOptions, AttestedBlob } from './blob/sign.ts'
export { attestFiles, signFiles } from './blob/sign-files.ts'
export { bytesBlobSource, fileBlobSource, stdinBlobSource } from './blob/source.ts'
export { verifyBlob, verifyBlobAttestation } from './blob/verify.ts'
export type { VerifyBlobAttestationRequest, VerifyBlobRequest } from './blob/verify.ts'
export type { Connection } from './connection.ts'
export type { HttpClient } from './http/client.ts'
export { keylessSigner, recordedSigner } from './keyless/signer.ts'
export type { SigningSetup } from './keyless/signer.ts'
export { ambientProviders, ambientToken } from './oidc/ambient.ts'
export type { AmbientPlace, AmbientProvider, AmbientToken } from './oidc/ambient.ts'
export { openClient } from './open-client.ts'
export { createRegistryRun, openRepository } from './open-repository.ts'
export type { RegistryRun } from './open-repository.ts'
export type { Repository, RepositoryReader, RepositoryWriter } from './registry/repository.ts'
export { createTraceLog } from './trace.ts'
export type { Trace, TraceEvent } from './trace.ts'
export { generateKeyPair } from './keys/generate.ts'
export type { GeneratedKeyType, KeyPairPem } from './keys/generate.ts'
export { importPrivateKey } from './keys/import-key.ts'
export { loadPublicHalf, loadPublicKey, loadSigner } from './keys/key-reference.ts'
export { nodeKeyIo } from './keys/node-key-io.ts'
export { nodePrimitives } from './crypto/node-primitives.ts'
export { readPublicGoodSeed } from './trust/public-good-seed.ts'
