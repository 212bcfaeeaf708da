/** Names of the extensions in a configuration (fulcio, pkg/certificate/extensions.go), by the last arc of their OID. */
import type { FulcioArc } from '@countersign/core/x509/build-fulcio'

/** 1 and 8 name the issuer and are never a matter of configuration. */
export const extensionNames: ReadonlyMap<string, FulcioArc> = new Map<string, FulcioArc>([
  ['github-workflow-trigger', '2'],
  ['github-workflow-sha', '3'],
  ['github-workflow-name', '4'],
  ['github-workflow-repository', '5'],
  ['github-workflow-ref', '6'],
  ['build-signer-uri', '9'],
  ['build-signer-digest', '10'],
  ['runner-environment', '11'],
  ['source-repository-uri', '12'],
  ['source-repository-digest', '13'],
  ['source-repository-ref', '14'],
  ['source-repository-identifier', '15'],
  ['source-repository-owner-uri', '16'],
  ['source-repository-owner-identifier', '17'],
  ['build-config-uri', '18'],
  ['build-config-digest', '19'],
  ['build-trigger', '20'],
  ['run-invocation-uri', '21'],
  ['source-repository-visibility-at-signing', '22'],
  ['deployment-environment', '23'],
  ['token-subject', '24'],
])
