/** The names by which a policy asks for Fulcio's extensions, as Sigstore's certificate summaries write them (fulcio, docs/oid-info.md). */

/** Name to the last arc of the OID under 1.3.6.1.4.1.57264.1. */
export const extensionArcs: Readonly<Record<string, string>> = {
  githubWorkflowTrigger: '2',
  githubWorkflowSHA: '3',
  githubWorkflowName: '4',
  githubWorkflowRepository: '5',
  githubWorkflowRef: '6',
  buildSignerURI: '9',
  buildSignerDigest: '10',
  runnerEnvironment: '11',
  sourceRepositoryURI: '12',
  sourceRepositoryDigest: '13',
  sourceRepositoryRef: '14',
  sourceRepositoryIdentifier: '15',
  sourceRepositoryOwnerURI: '16',
  sourceRepositoryOwnerIdentifier: '17',
  buildConfigURI: '18',
  buildConfigDigest: '19',
  buildTrigger: '20',
  runInvocationURI: '21',
  sourceRepositoryVisibilityAtSigning: '22',
  deploymentEnvironment: '23',
  tokenSubject: '24',
}
