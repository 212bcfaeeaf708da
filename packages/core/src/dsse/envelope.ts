/** DSSE envelope (secure-systems-lab/dsse, envelope.md and protocol.md, v1.0.2). */

/** An envelope as parsed: the payload is decoded, nothing is verified. */
export type DsseEnvelope = {
  readonly payloadType: string
  readonly payload: Uint8Array
  readonly signatures: readonly DsseSignature[]
}

/** One signature of an envelope. `keyid` is unauthenticated and decides nothing. */
export type DsseSignature = {
  readonly sig: Uint8Array
  readonly keyid?: string
}
