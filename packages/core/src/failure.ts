/**
 * Every way in which the platform says no, in one closed union, and the one error class that carries it.
 *
 * Parsers throw a {@link CountersignError}; verification returns its refusals as values. A code never changes its meaning:
 * scripts and policies depend on it.
 */

/** What a failure means to the caller; the command line maps each outcome to one exit code. */
export type Outcome =
  /** 10: nothing there claims to be a signature (or attestation) of the artifact. */
  | 'unsigned'
  /** 11: the image or file itself does not exist. */
  | 'not_found'
  /** 12: signatures are there, none is acceptable. */
  | 'unacceptable'
  /** 13: a policy says no. */
  | 'denied'
  /** 14: could not tell: network, registry, throttling, a limit, trust that cannot be relied on. Never read as "unsigned". */
  | 'unknown'
  /** 15: the artifact, the bundle or stored content is not what was signed. */
  | 'altered'
  /** 2: the caller asked for something that makes no sense. */
  | 'usage'
  /** 1: everything else. */
  | 'failed'

const outcomes = {
  // Input that does not parse. Inside a bundle or registry object the reader maps these to `bundle_malformed` and friends.
  base64_malformed: 'failed',
  hex_malformed: 'failed',
  utf8_malformed: 'failed',
  json_malformed: 'failed',
  json_duplicate_key: 'failed',
  json_too_deep: 'failed',
  json_too_large: 'failed',
  pem_malformed: 'failed',
  der_malformed: 'failed',
  der_too_deep: 'failed',
  der_too_large: 'failed',
  certificate_malformed: 'failed',
  sct_malformed: 'failed',
  cms_malformed: 'failed',
  timestamp_malformed: 'failed',
  note_malformed: 'failed',
  checkpoint_malformed: 'failed',
  proof_malformed: 'failed',
  reference_malformed: 'usage',
  digest_malformed: 'usage',
  pattern_malformed: 'usage',
  predicate_malformed: 'failed',
  policy_malformed: 'usage',
  policy_suspicious: 'failed',
  policy_case_failed: 'denied',
  policy_weaker: 'failed',
  batch_malformed: 'usage',
  file_malformed: 'failed',
  trusted_root_malformed: 'failed',
  signing_config_malformed: 'failed',
  key_malformed: 'failed',
  key_unsupported: 'failed',
  key_password_wrong: 'failed',
  key_password_missing: 'usage',
  key_mismatch: 'failed',
  algorithm_unsupported: 'failed',

  // What is signed, and what the signature is made of.
  bundle_malformed: 'altered',
  bundle_version_unsupported: 'unacceptable',
  dsse_malformed: 'altered',
  dsse_signature_count: 'altered',
  statement_malformed: 'altered',
  manifest_malformed: 'altered',
  artifact_altered: 'altered',
  bundle_altered: 'altered',
  content_altered: 'altered',
  subject_mismatch: 'altered',
  no_signature: 'unsigned',
  no_attestation: 'unsigned',
  artifact_not_found: 'not_found',

  // Who signed, when, and how that is proven.
  signer_untrusted: 'unacceptable',
  identity_mismatch: 'unacceptable',
  predicate_mismatch: 'unacceptable',
  annotation_mismatch: 'unacceptable',
  key_outside_validity: 'unacceptable',
  certificate_untrusted: 'unacceptable',
  certificate_expired: 'unacceptable',
  certificate_unsuitable: 'unacceptable',
  sct_missing: 'unacceptable',
  sct_invalid: 'unacceptable',
  log_entry_missing: 'unacceptable',
  log_untrusted: 'unacceptable',
  log_entry_mismatch: 'altered',
  signed_entry_timestamp_invalid: 'altered',
  inclusion_proof_invalid: 'altered',
  checkpoint_invalid: 'altered',
  timestamp_missing: 'unacceptable',
  timestamp_invalid: 'altered',
  timestamp_untrusted: 'unacceptable',
  trusted_time_missing: 'unacceptable',
  signature_expired: 'unacceptable',
  name_mismatch: 'unacceptable',
  trust_missing: 'unknown',
  trust_stale: 'unknown',
  tuf_unreachable: 'unknown',
  tuf_malformed: 'unknown',
  tuf_expired: 'unknown',
  tuf_rolled_back: 'unknown',
  tuf_unsigned: 'altered',
  image_unresolved: 'unknown',
  images_missing: 'failed',
  image_unpinned: 'failed',
  image_moved: 'failed',
  policy_denied: 'denied',
  policy_input_missing: 'unknown',
  revocation_list_missing: 'unknown',
  revocation_list_malformed: 'unknown',
  revocation_list_unsigned: 'unknown',
  revocation_list_expired: 'unknown',
  revocation_list_rolled_back: 'unknown',
  revocation_state_damaged: 'unknown',

  // Registries and other IO.
  registry_unreachable: 'unknown',
  registry_unauthorized: 'unknown',
  registry_throttled: 'unknown',
  registry_failed: 'unknown',
  registry_response_malformed: 'unknown',
  deadline_exceeded: 'unknown',
  limit_exceeded: 'unknown',
  interrupted: 'unknown',
  artifact_type_unsupported: 'unknown',
  credentials_malformed: 'failed',
  credential_helper_failed: 'failed',
  insecure_transport: 'usage',
  layout_malformed: 'unknown',
  layout_unreadable: 'unknown',
  layout_escape: 'altered',
  path_escape: 'altered',
  archive_read_only: 'usage',
  tag_taken: 'failed',
  write_rejected: 'failed',
  write_not_confirmed: 'failed',
  file_not_found: 'not_found',
  file_exists: 'usage',
  io_failed: 'failed',

  // Services that a signer asks: certificate authority, transparency log, timestamp authority, identity provider.
  service_unreachable: 'unknown',
  service_throttled: 'unknown',
  service_failed: 'unknown',
  service_refused: 'failed',
  service_response_malformed: 'failed',
  entry_exists: 'failed',
  identity_token_missing: 'usage',
  identity_token_malformed: 'usage',
  identity_token_expired: 'failed',

  // How signatures are stored, as the doctor finds it.
  subject_missing: 'failed',
  fallback_index_malformed: 'failed',
  fallback_index_missing: 'failed',
  fallback_entry_missing: 'failed',
  fallback_entry_dangling: 'failed',
  fallback_entry_wrong: 'failed',
  fallback_entry_duplicate: 'failed',
  referrer_unlisted: 'failed',
  referrer_malformed: 'failed',
  referrer_foreign: 'failed',
  bundle_type_wrong: 'failed',
  bundle_unusable: 'failed',
  envelope_key_id: 'failed',
  signature_foreign: 'failed',
  signature_empty: 'failed',
  blob_missing: 'failed',
  legacy_tag_malformed: 'failed',
  legacy_layer_malformed: 'failed',
  legacy_hidden: 'failed',
  writer_tag_unmerged: 'failed',
  layouts_mixed: 'failed',
  migration_incomplete: 'failed',

  // Services. base/audit
  audit_damaged: 'altered',
  // Services. base/backup
  backup_damaged: 'altered',
  // Services. base/blobs
  blob_name_malformed: 'failed',
  blob_store_failed: 'failed',
  // Services. base/database
  database_busy: 'unknown',
  database_damaged: 'failed',
  database_failed: 'failed',
  database_missing: 'failed',
  database_newer: 'failed',
  // Services. base/keys
  key_exists: 'failed',
  key_missing: 'failed',
  key_not_exportable: 'failed',
  secret_damaged: 'failed',
  signer_unavailable: 'unknown',
  // Services. base/config
  config_malformed: 'usage',
  config_reference_missing: 'usage',
  // Services. base/data-folder
  data_folder_damaged: 'failed',
  data_folder_missing: 'usage',
  data_folder_newer: 'failed',
  data_folder_occupied: 'usage',
  data_folder_locked: 'failed',
  data_folder_exposed: 'failed',
  // Services. base/http
  listen_failed: 'failed',
  tls_unusable: 'usage',

  // Services. identity
  account_address_taken: 'failed',
  account_disabled: 'denied',
  account_exists: 'failed',
  account_malformed: 'usage',
  account_missing: 'not_found',
  login_link_spent: 'denied',
  login_refused: 'denied',

  // Services. tsa
  timestamp_request_malformed: 'failed',
  timestamp_digest_refused: 'failed',
  timestamp_policy_refused: 'failed',
  timestamp_extension_refused: 'failed',
  clock_untrusted: 'failed',
  // Services. trust
  trust_instance_exists: 'failed',
  trust_instance_missing: 'failed',
  trust_instance_malformed: 'failed',
  trust_changed_meanwhile: 'failed',
  trust_proposal_exists: 'failed',
  trust_proposal_missing: 'failed',
  trust_threshold_missed: 'failed',
  trust_damaged: 'failed',

  // Services. log
  log_altered: 'altered',
  log_damaged: 'failed',
  log_entry_malformed: 'failed',
  log_entry_refused: 'failed',
  log_exists: 'failed',
  log_frozen: 'failed',
  log_inconsistent: 'altered',
  log_missing: 'failed',
  log_overloaded: 'unknown',
  log_unavailable: 'unknown',
  proof_impossible: 'failed',
  tile_malformed: 'failed',
  witness_refused: 'failed',
  // Services. core/x509, core/note: certificate transparency
  certificate_request_malformed: 'failed',
  // Services. ca
  authority_damaged: 'failed',
  authority_missing: 'failed',
  certificate_request_refused: 'failed',
  identity_algorithm_refused: 'failed',
  identity_audience_mismatch: 'failed',
  identity_claim_malformed: 'failed',
  identity_claim_missing: 'failed',
  identity_email_unverified: 'failed',
  identity_issuer_unavailable: 'unknown',
  identity_issuer_unknown: 'failed',
  identity_key_unknown: 'failed',
  identity_signature_invalid: 'failed',
  identity_token_early: 'failed',
  issuance_throttled: 'unknown',
  key_weak: 'failed',
  possession_unproven: 'failed',

  // The command itself.
  usage: 'usage',
  not_supported: 'usage',
  service_not_supported: 'usage',
  node_too_old: 'failed',
  internal: 'failed',
} as const

/** From the gravest outcome to the mildest: what was tampered with outweighs what was forbidden, and that what is merely missing. */
export const gravity: readonly Outcome[] = ['altered', 'denied', 'unacceptable', 'unsigned', 'not_found', 'unknown', 'failed', 'usage']

/** The closed list of failure codes, stable across versions. */
export type FailureCode = keyof typeof outcomes

/** What a failure code means to the caller. Total: every code has an outcome. */
export function outcomeOf(code: FailureCode): Outcome {
  return outcomes[code]
}

/** True if `text` is one of the platform's failure codes. */
export function isFailureCode(text: string): text is FailureCode {
  return Object.hasOwn(outcomes, text)
}

/** The parts of a failure that a person needs beside its text; none may carry a secret. */
export type FailureParts = {
  /** What would have been right. */
  readonly expected?: string
  /** What was there instead. */
  readonly found?: string
  /** The next step for the person who reads it, as an imperative sentence. */
  readonly hint?: string
  /** The failure underneath, kept whole. */
  readonly cause?: unknown
}

/** The one error class of the platform: a closed code, a text for people, and what was expected, found and to be done. */
export class CountersignError extends Error {
  override readonly name = 'CountersignError'
  readonly code: FailureCode
  readonly expected?: string
  readonly found?: string
  readonly hint?: string

  constructor(code: FailureCode, detail: string, parts: FailureParts = {}) {
    super(detail, parts.cause === undefined ? undefined : { cause: parts.cause })
    this.code = code
    if (parts.expected !== undefined) this.expected = parts.expected
    if (parts.found !== undefined) this.found = parts.found
    if (parts.hint !== undefined) this.hint = parts.hint
  }
}

/** Marks a place that the types prove unreachable; a new union member breaks the build here. */
export function unreachable(value: never): never {
  throw new CountersignError('internal', `unexpected value ${JSON.stringify(value)}`)
}
