/** `countersign attach sbom` and `countersign attach artifact`. */
import { basename } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { maxDocumentBytes } from '@countersign/core/json/parse'
import { type Attached, attachArtifact, attachLegacySbom } from '@countersign/sdk/transport/attach'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { readInput } from '../terminal/input.ts'
import { attachTo } from './attach-target.ts'

type Format = 'json' | 'xml' | 'text'

/** Registered types (IANA; cyclonedx.org) for artifacts, and what cosign writes under `.sbom`. */
const sbomTypes: Readonly<Record<string, Partial<Record<Format, { readonly referrer: string; readonly legacy: string }>>>> = {
  spdx: {
    json: { referrer: 'application/spdx+json', legacy: 'text/spdx+json' },
    xml: { referrer: 'text/spdx+xml', legacy: 'text/spdx+xml' },
    text: { referrer: 'text/spdx', legacy: 'text/spdx' },
  },
  cyclonedx: {
    json: { referrer: 'application/vnd.cyclonedx+json', legacy: 'application/vnd.cyclonedx+json' },
    xml: { referrer: 'application/vnd.cyclonedx+xml', legacy: 'application/vnd.cyclonedx+xml' },
  },
  syft: { json: { referrer: 'application/vnd.syft+json', legacy: 'application/vnd.syft+json' } },
}

/** Attaches an SBOM. */
export async function attachSbom(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const path = flags.required('sbom', 'Name the file with --sbom.')
  const layout = flags.text('layout') ?? 'referrer'
  if (!['referrer', 'legacy', 'both'].includes(layout)) {
    throw new CountersignError('usage', '--layout names no layout', { expected: 'referrer, legacy, both', found: layout.slice(0, 40) })
  }
  const bytes = await readInput(path, maxDocumentBytes)
  const { referrer, legacy } = mediaTypesOf(flags.text('type') ?? 'spdx', flags.text('input-format'), bytes)
  return attachTo(invocation, async (target) => {
    const attached: Attached[] = []
    const title = path === '-' ? {} : { title: basename(path) }
    if (layout !== 'legacy') attached.push(await attachArtifact(target, referrer, [{ bytes, mediaType: referrer, ...title }]))
    if (layout !== 'referrer') attached.push(await attachLegacySbom(target, { bytes, mediaType: legacy }, flags.boolean('force', false)))
    return attached
  })
}

function mediaTypesOf(type: string, asked: string | undefined, bytes: Uint8Array): { readonly referrer: string; readonly legacy: string } {
  const formats = Object.hasOwn(sbomTypes, type) ? sbomTypes[type] : undefined
  if (formats === undefined) {
    throw new CountersignError('usage', '--type names no kind of SBOM', {
      expected: Object.keys(sbomTypes).join(', '),
      found: type.slice(0, 40),
    })
  }
  const shown = formatOf(bytes)
  if (asked !== undefined && asked !== shown) {
    throw new CountersignError('usage', 'the SBOM is not in the format that --input-format names', {
      expected: asked.slice(0, 40),
      found: shown,
    })
  }
  const found = formats[shown]
  if (found === undefined) {
    throw new CountersignError('usage', `a ${type} SBOM is not written as ${shown}`, {
      expected: Object.keys(formats).join(', '),
      found: shown,
    })
  }
  return found
}

function formatOf(bytes: Uint8Array): Format {
  const head = Buffer.from(bytes.subarray(0, 64))
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart()
  return head.startsWith('{') ? 'json' : head.startsWith('<') ? 'xml' : 'text'
}

/** Attaches files as one artifact. */
export async function attachFiles(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const artifactType = flags.required('artifact-type', 'Say what the artifact is, for example application/vnd.example.licence.')
  const named = flags.list('file')
  if (named.length === 0) throw new CountersignError('usage', '--file is missing', { hint: 'Name at least one file.' })
  checkMediaType(artifactType, '--artifact-type')
  const files = await Promise.all(
    named.map(async (text) => {
      const { path, mediaType } = splitFile(text)
      checkMediaType(mediaType, '--file')
      return { bytes: await readInput(path, maxDocumentBytes), mediaType, title: basename(path) }
    }),
  )
  return attachTo(invocation, async (target) => [await attachArtifact(target, artifactType, files)])
}

/** `FILE:TYPE` as oras has it: what follows the last colon is a media type when it holds a slash and the path would end before it. */
function splitFile(text: string): { readonly path: string; readonly mediaType: string } {
  const match = /^(.+):([A-Za-z0-9!#$&^_.+-]+\/[A-Za-z0-9!#$&^_.+-]+)$/.exec(text)
  return match?.[1] === undefined || match[2] === undefined
    ? { path: text, mediaType: 'application/octet-stream' }
    : { path: match[1], mediaType: match[2] }
}

/** RFC 6838 §4.2. */
function checkMediaType(text: string, flag: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/.test(text)) return
  throw new CountersignError('usage', `${flag} holds no media type`, { expected: 'type/subtype', found: text.slice(0, 80) })
}
