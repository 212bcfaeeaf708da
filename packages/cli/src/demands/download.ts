/** Small files behind an https URL that the command line names. */
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'

/** The body of an answer, bounded; https only, also through redirects. */
export function readBoundedUrl(url: string, maxBytes: number): Promise<Uint8Array> {
  return nodeKeyIo(process.env).download(new URL(url), maxBytes)
}
