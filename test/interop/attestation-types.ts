/** Every attestation type that cosign names, with a predicate that it accepts. */

/** A type as given on the command line, and the predicate file's content. */
export type AttestationType = { readonly type: string; readonly predicate: string }

const invocation = { parameters: null, uri: 'https://ci.example/1', event_id: '1', 'builder.id': 'b' }

/** The types of the matrix; a URI stands for all types that have no short name. */
export const attestationTypes: readonly AttestationType[] = [
  { type: 'custom', predicate: '{"tested":true}' },
  { type: 'slsaprovenance', predicate: '{"builder":{"id":"https://ci.example/b"},"buildType":"https://ci.example/type"}' },
  { type: 'slsaprovenance02', predicate: '{"builder":{"id":"https://ci.example/b"},"buildType":"https://ci.example/type"}' },
  {
    type: 'slsaprovenance1',
    predicate:
      '{"buildDefinition":{"buildType":"https://ci.example/type","externalParameters":{}},"runDetails":{"builder":{"id":"https://ci.example/b"}}}',
  },
  { type: 'spdx', predicate: 'SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\n' },
  { type: 'spdxjson', predicate: '{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"x","packages":[]}' },
  { type: 'cyclonedx', predicate: '{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[]}' },
  {
    type: 'vuln',
    predicate: JSON.stringify({
      invocation,
      scanner: { uri: 'pkg:generic/scanner@1', version: '1', db: { uri: '', version: '1' }, result: {} },
      metadata: { scanStartedOn: '2026-01-01T00:00:00Z', scanFinishedOn: '2026-01-01T00:00:01Z' },
    }),
  },
  {
    type: 'openvex',
    predicate: '{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://ci.example/vex","author":"a","version":1,"statements":[]}',
  },
  { type: 'https://example.com/predicate/v1', predicate: '{"any":["thing",1]}' },
]
