/** One stored signature on one line, as `cosign download signature` prints it. */
import { legacyAnnotation } from '@countersign/core/bundle/legacy'
import { CountersignError } from '@countersign/core/failure'
import { type JsonValue, parseJson } from '@countersign/core/json/parse'
import type { FoundEntity } from '@countersign/sdk/discover/found'
import { goJson } from './cosign.ts'

/** A bundle or an envelope as stored; a legacy signature as cosign's object, its bytes in base64. */
export function storedSignature(found: FoundEntity): string {
  const { annotations, bytes, parsed } = found
  if (parsed.ok && parsed.entity.content.kind === 'simple-signing') {
    const signature = annotations[legacyAnnotation.signature] ?? ''
    return goJson({
      Base64Signature: signature,
      Payload: Buffer.from(bytes).toString('base64'),
      Cert: annotations[legacyAnnotation.certificate] ?? null,
      Chain: annotations[legacyAnnotation.chain] ?? null,
      Bundle: embedded(annotations[legacyAnnotation.rekorBundle]),
      RFC3161Timestamp: embedded(annotations[legacyAnnotation.timestamp]),
    })
  }
  return oneLine(bytes)
}

/** JSON without line breaks goes out byte for byte; anything else could forge lines, and is shown in base64. */
function oneLine(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8').trim()
  if (!/[\n\r]/.test(text) && isJson(text)) return text
  return isJson(text) ? goJson(parseJson(text)) : goJson({ unreadable: Buffer.from(bytes).toString('base64') })
}

function isJson(text: string): boolean {
  return embedded(text) !== null
}

function embedded(text: string | undefined): JsonValue {
  if (text === undefined) return null
  try {
    return parseJson(text)
  } catch (cause) {
    if (cause instanceof CountersignError) return null
    throw cause
  }
}
