/** What a document is and says. Everything here is a claim: nothing is verified. */
import type { SignedEntity as Entity } from '@countersign/core/bundle/model'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { type JsonObject, type JsonValue, parseJson, maxDocumentBytes } from '@countersign/core/json/parse'
import { describeCertificate, describeDer, describePem } from './keys.ts'

/** A document, described. */
export type Description = { readonly kind: string; readonly says: JsonValue }

const maxJsonBytes = maxDocumentBytes

/** Describes any bytes that Sigstore or OCI know. Throws the parser's code when they look like something and are not it. */
export async function describe(bytes: Uint8Array): Promise<Description> {
  const text = Buffer.from(bytes.subarray(0, 4096)).toString('latin1').trimStart()
  if (text.startsWith('{') || text.startsWith('[')) return describeJson(bytes)
  if (text.includes('-----BEGIN ')) return describePem(Buffer.from(bytes).toString('latin1'))
  if (bytes[0] === 0x30) return describeDer(bytes)
  if (text.includes('\n\n\u00e2\u0080\u0094 ')) return describeNote(bytes)
  throw new CountersignError('usage', 'this is nothing that can be inspected', {
    expected: 'a bundle, envelope, statement, trusted root, signing config, manifest, key, certificate, timestamp or checkpoint',
    found: `${bytes.length} bytes`,
  })
}

async function describeJson(bytes: Uint8Array): Promise<Description> {
  const value = parseJson(bytes, { maxBytes: maxJsonBytes })
  const media = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
  const type = typeof media['mediaType'] === 'string' ? media['mediaType'] : ''
  if (type.includes('sigstore.bundle')) return describeBundle(bytes)
  if (type.includes('sigstore.trustedroot')) return describeTrustedRoot(bytes)
  if (type.includes('sigstore.signingconfig')) return describeSigningConfig(bytes)
  if ('base64Signature' in media) return describeLegacyBundle(bytes)
  if ('payloadType' in media) return describeEnvelope(bytes)
  if ('_type' in media) return { kind: 'in-toto statement', says: await statementSays(bytes) }
  if ('critical' in media) return { kind: 'simple-signing payload', says: value }
  if ('schemaVersion' in media || type.includes('manifest') || type.includes('image.index')) return describeManifest(bytes)
  return { kind: 'JSON', says: asWritten(bytes) }
}

/** A number that a double cannot hold is shown as it stands in the text: another one would be a lie. The text was parsed strictly before. */
function asWritten(bytes: Uint8Array): JsonValue {
  const keep = (_: string, value: JsonValue, context: { readonly source?: string }): JsonValue =>
    typeof value === 'number' && /^-?[0-9]+$/.test(context.source ?? '') && !Number.isSafeInteger(value) ? (context.source ?? value) : value
  return JSON.parse(Buffer.from(bytes).toString('utf8'), keep as (key: string, value: unknown) => unknown) as JsonValue
}

async function describeBundle(bytes: Uint8Array): Promise<Description> {
  const { parseBundle } = await import('@countersign/core/bundle/parse')
  const bundle = parseBundle(bytes)
  return { kind: `Sigstore bundle v${bundle.version}`, says: { mediaType: bundle.mediaType, ...(await entitySays(bundle)) } }
}

async function describeLegacyBundle(bytes: Uint8Array): Promise<Description> {
  const { parseLegacyBundle } = await import('@countersign/core/bundle/legacy')
  return { kind: 'cosign legacy bundle', says: await entitySays(parseLegacyBundle(bytes)) }
}

async function entitySays(entity: Entity): Promise<{ readonly [name: string]: JsonValue }> {
  const { material, content } = entity
  const signer: JsonValue =
    material.kind === 'public-key'
      ? { kind: 'key', hint: material.hint ?? 'none' }
      : { kind: 'certificate', certificates: material.chain.map((der) => describeCertificate(der)) }
  return {
    signer,
    content: await contentSays(content),
    logEntries: entity.logEntries.map((entry) => ({
      logIndex: entry.logIndex,
      logId: hex(entry.logId),
      kind: `${entry.kind} ${entry.version}`,
      integratedTime: entry.integratedTime === undefined ? 'none' : new Date(entry.integratedTime * 1000).toISOString(),
      inclusionProof:
        entry.inclusionProof === undefined ? 'none' : `index ${entry.inclusionProof.logIndex} of ${entry.inclusionProof.treeSize}`,
      signedEntryTimestamp: entry.signedEntryTimestamp === undefined ? 'none' : 'present',
    })),
    timestamps: entity.timestamps.map((der) => describeDer(der).says),
  }
}

async function contentSays(content: Entity['content']): Promise<JsonValue> {
  switch (content.kind) {
    case 'message':
      return { kind: 'signature of a file', digest: content.claimedDigest ?? 'not named', signatureBytes: content.signature.length }
    case 'dsse':
      return { kind: 'DSSE envelope', payloadType: content.envelope.payloadType, statement: await statementSays(content.envelope.payload) }
    case 'simple-signing':
      return { kind: 'simple-signing payload', payload: parseJson(content.payload) }
    default:
      return unreachable(content)
  }
}

async function describeEnvelope(bytes: Uint8Array): Promise<Description> {
  const { parseEnvelope } = await import('@countersign/core/dsse/envelope')
  const envelope = parseEnvelope(bytes)
  return {
    kind: 'DSSE envelope',
    says: { payloadType: envelope.payloadType, signatures: envelope.signatures.length, statement: await statementSays(envelope.payload) },
  }
}

/** A statement without its predicate's depths: its type and size say what there is to read. */
async function statementSays(payload: Uint8Array): Promise<JsonValue> {
  const { isSignatureStatement, parseStatement } = await import('@countersign/core/statement/statement')
  const statement = parseStatement(payload)
  return {
    type: `in-toto statement v${statement.version}`,
    is: isSignatureStatement(statement) ? 'an image signature' : 'an attestation',
    predicateType: statement.predicateType,
    subjects: statement.subjects.slice(0, 20).map((subject) => ({
      ...(subject.name === undefined ? {} : { name: subject.name }),
      digest: { ...subject.digest },
      ...(Object.keys(subject.annotations).length === 0 ? {} : { annotations: { ...subject.annotations } }),
    })),
    predicateBytes: statement.predicateBytes?.length ?? 0,
  }
}

async function describeTrustedRoot(bytes: Uint8Array): Promise<Description> {
  const { parseTrustedRoot } = await import('@countersign/core/trust/trusted-root')
  const root = parseTrustedRoot(bytes)
  const range = (times: { readonly start: number; readonly end?: number }): string =>
    `${new Date(times.start).toISOString()} to ${times.end === undefined ? 'now' : new Date(times.end).toISOString()}`
  const logs = (list: typeof root.logs): JsonValue =>
    list.map((log) => ({ url: log.baseUrl, id: hex(log.logId), algorithm: log.algorithm, validFor: range(log.validFor) }))
  const authorities = (list: typeof root.certificateAuthorities): JsonValue =>
    list.map((authority) => ({
      uri: authority.uri,
      name: `${authority.organization} ${authority.commonName}`.trim(),
      validFor: range(authority.validFor),
      certificates: authority.certificates.map((der) => describeCertificate(der)),
    }))
  return {
    kind: 'Sigstore trusted root',
    says: {
      transparencyLogs: logs(root.logs),
      certificateAuthorities: authorities(root.certificateAuthorities),
      certificateLogs: logs(root.ctLogs),
      timestampAuthorities: authorities(root.timestampAuthorities),
    },
  }
}

async function describeSigningConfig(bytes: Uint8Array): Promise<Description> {
  const { parseSigningConfig } = await import('@countersign/core/trust/signing-config')
  parseSigningConfig(bytes)
  return { kind: 'Sigstore signing config', says: parseJson(bytes) }
}

async function describeManifest(bytes: Uint8Array): Promise<Description> {
  const { parseManifest } = await import('@countersign/core/oci/manifest')
  const manifest = parseManifest(bytes)
  const kind = manifest.kind === 'index' ? 'image index' : 'image manifest'
  return { kind, says: parseJson(bytes) }
}

async function describeNote(bytes: Uint8Array): Promise<Description> {
  const [{ parseSignedNote }, { parseCheckpoint }] = await Promise.all([
    import('@countersign/core/note/signed-note'),
    import('@countersign/core/note/checkpoint'),
  ])
  const note = parseSignedNote(Buffer.from(bytes).toString('utf8'))
  const checkpoint = parseCheckpoint(note.text)
  return {
    kind: 'checkpoint',
    says: {
      origin: checkpoint.origin,
      size: checkpoint.size,
      rootHash: hex(checkpoint.rootHash),
      signatures: note.signatures.map((signature) => signature.name),
    },
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
