/** What a person does next, for failures that carry no hint of their own: one imperative sentence. */
import { type FailureCode, type Outcome, outcomeOf } from '@countersign/core/failure'

const byOutcome: Readonly<Record<Outcome, string>> = {
  unsigned: 'Sign it first, or look at what is there with "countersign tree".',
  not_found: 'Check the name; nothing exists under it.',
  unacceptable: 'Run again with --report text to see every signature and why it was not accepted.',
  denied: 'Ask the owner of the policy, or change what the policy refuses.',
  unknown: 'Try again; this says nothing about whether the artifact is signed.',
  altered: 'Do not use it. Fetch the artifact and its signature again from a source that you trust.',
  usage: 'Run the command with --help to see how it is used.',
  failed: 'Run again with --verbose to see the cause.',
}

const byCode: { readonly [code in FailureCode]?: string } = {
  no_attestation: 'Attest it with "countersign attest", or look at what is there with "countersign tree".',
  signer_untrusted: 'Verify with the key of whoever signed it, or have it signed with the expected key.',
  identity_mismatch: 'Compare --certificate-identity and --certificate-oidc-issuer with what was found.',
  predicate_mismatch: 'Name the type that was found with --type, if that is what you want.',
  annotation_mismatch: 'Compare -a with the annotations that were signed; "countersign download signature" shows them.',
  log_entry_missing: 'Sign with a log entry, or give --insecure-ignore-tlog to do without one.',
  trust_missing: 'Name a trusted root with --trusted-root.',
  trust_stale: 'Name a current trusted root with --trusted-root.',
  registry_unreachable: 'Check the name and the network, then try again.',
  registry_unauthorized: 'Log in with "countersign login", or check --registry-username and --registry-token.',
  registry_throttled: 'Wait and try again; the registry limits requests.',
  deadline_exceeded: 'Give more time with --timeout, or try again.',
  key_password_wrong: 'Check COUNTERSIGN_PASSWORD, or type the password at the prompt.',
  key_password_missing: 'Set COUNTERSIGN_PASSWORD, or run on a terminal to be asked.',
  key_unsupported: 'Use a key of a supported type: ECDSA P-256, P-384, P-521, RSA 2048 to 4096, Ed25519.',
  pem_malformed: 'Give a PEM file: "countersign inspect FILE" says what a file is.',
  key_malformed: 'Give a PEM file: "countersign inspect FILE" says what a file is.',
  predicate_malformed: 'Give JSON; for the types custom and spdx any text will do.',
  policy_malformed: 'Correct the policy; docs/schema/artifact-policy.schema.json says what it may hold.',
  policy_suspicious: 'Correct what is named above, or keep it if it is meant so.',
  policy_input_missing: 'Name the index of the image, not one of its manifests.',
  batch_malformed: 'Correct the file; docs/guides/verify-many.md shows what it may hold.',
  interrupted: 'Run again; what was not reached says nothing about whether it is signed.',
  artifact_type_unsupported: 'Use container or file; other types are verified by other means.',
  path_escape: 'Do not use the list: it names files outside of its folder.',
  revocation_list_missing: 'Give the list that the policy demands with --revocations.',
  revocation_list_unsigned: 'Have the list signed by as many of the keys as the policy demands.',
  revocation_list_expired: 'Get the current list of revocations.',
  revocation_list_rolled_back: 'Get the current list of revocations; this one is older than it may be.',
  file_not_found: 'Check the path.',
  limit_exceeded: 'Check that it is what you meant to name: more than this is never read.',
  layout_malformed: 'Name a whole image layout: a folder with oci-layout, index.json and every blob that they name, or an archive of one.',
  layout_unreadable: 'Check that you may read every file of the layout; --verbose shows the cause.',
  credentials_malformed: 'Repair the file, or move it away and log in again.',
  io_failed: 'Check that the file or folder exists, has room and is yours to use; --verbose shows the cause.',
  file_exists: 'Choose another name, or give --yes to overwrite.',
  reference_malformed: 'Write registry/repository:tag, registry/repository@sha256:…, oci:DIR or oci-archive:FILE.',
  digest_malformed: 'Write sha256: and 64 lower-case hex digits.',
  pattern_malformed: 'Write an RE2 pattern; it must match the whole name.',
  internal: 'This is a defect of countersign: report it with the output of --verbose.',
}

/** The next step after a failure of this code. Total: every code has one. */
export function nextStep(code: FailureCode): string {
  return byCode[code] ?? byOutcome[outcomeOf(code)]
}
