/** The part of postject that is used here; it comes without types. */
declare module 'postject' {
  /** Puts a resource into an executable, and flips the fuse that says so. */
  export function inject(file: string, resource: string, data: Uint8Array, options: { readonly sentinelFuse: string }): Promise<void>
}
