/** cosign's legacy payload ("simple signing", cosign specs/SIGNATURE_SPEC.md), as it is written. */
import { utf8 } from '../bytes.ts'
import type { Digest } from '../digest.ts'

/** The value of `critical.type` in what cosign writes; readers ignore it. */
export const simpleSigningType = 'cosign container image signature'

/** What a payload says. */
export type SimpleSigningParts = {
  /** `registry/repository`, without tag or digest. */
  readonly dockerReference: string
  readonly digest: Digest
  readonly annotations: Readonly<Record<string, string>>
}

/** The payload byte for byte as cosign writes it; no annotations give `"optional":null`. */
export function buildSimpleSigning(parts: SimpleSigningParts): Uint8Array {
  const names = Object.keys(parts.annotations).sort()
  const optional = names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(parts.annotations[name])}`).join(',')
  const document =
    `{"critical":{"identity":{"docker-reference":${JSON.stringify(parts.dockerReference)}},` +
    `"image":{"docker-manifest-digest":${JSON.stringify(parts.digest)}},"type":${JSON.stringify(simpleSigningType)}},` +
    `"optional":${names.length === 0 ? 'null' : `{${optional}}`}}`
  return utf8(document.replace(/[<>&\u2028\u2029]/g, goEscape))
}

/** Go's encoding/json escapes what could end a script element. These characters occur only inside strings. */
function goEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
