/** `@peculiar/x509` as an oracle. It wants the reflection polyfill before it is loaded. */
import type * as Peculiar from '@peculiar/x509'

await import('reflect-metadata')

/** The library, whole. */
export const peculiar: typeof Peculiar = await import('@peculiar/x509')
