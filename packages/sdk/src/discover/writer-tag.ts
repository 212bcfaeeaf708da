/**
 * The tags that writers put for themselves, so that no concurrent writer can overwrite a signature: the one place that knows their names.
 *
 * `sha256-<subject hex>.<32 hex>.<suffix>`, 108 characters at most (a tag has 128). The 32 hex characters name what the tag holds: the
 * first half of the digest of a referrer manifest (`w`), or of a legacy layer's key (`ws` for `.sig`, `wa` for `.att`). A reader that has
 * the same signature from the merged index or manifest already need not fetch the tag.
 */
import { type Digest, digestHex } from '@countersign/core/digest'
import { fallbackTag } from '@countersign/core/oci/layouts'

/** What a writer tag holds: a referrer manifest, or a legacy manifest with one layer of `.sig` or `.att`. */
export type WriterTagKind = 'bundle' | 'sig' | 'att'

const suffixes: Readonly<Record<WriterTagKind, string>> = { bundle: 'w', sig: 'ws', att: 'wa' }
const kinds: ReadonlyMap<string, WriterTagKind> = new Map([
  ['w', 'bundle'],
  ['ws', 'sig'],
  ['wa', 'att'],
])

/** A writer tag, read. */
export type WriterTag = { readonly tag: string; readonly kind: WriterTagKind; /** 32 hex characters. */ readonly half: string }

/** The half of a digest that a writer tag carries. */
export function halfOf(digest: Digest): string {
  return digestHex(digest).slice(0, 32)
}

/** The name of a writer's own tag for what `content` names. */
export function writerTag(subject: Digest, kind: WriterTagKind, content: Digest): string {
  return `${fallbackTag(subject)}.${halfOf(content)}.${suffixes[kind]}`
}

/** Reads a tag; `undefined` when it is no writer tag of this subject. */
export function parseWriterTag(subject: Digest, tag: string): WriterTag | undefined {
  const prefix = `${fallbackTag(subject)}.`
  if (!tag.startsWith(prefix)) return undefined
  const match = /^([0-9a-f]{32})\.(w[sa]?)$/.exec(tag.slice(prefix.length))
  const kind = kinds.get(match?.[2] ?? '')
  return match?.[1] === undefined || kind === undefined ? undefined : { tag, kind, half: match[1] }
}
