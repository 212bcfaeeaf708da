/** The few globals that core may use: both browsers and Node have them. Nothing that reads a clock, a network or a file is here. */
declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>
  encodeInto(text: string, bytes: Uint8Array): { read: number; written: number }
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean })
  decode(input?: Uint8Array): string
}
declare function atob(text: string): string
declare function btoa(binary: string): string
