/**
 * Images in the values of Helm charts: `image: repo:tag`, `image: {registry, repository, tag, digest}`, and `image` beside `tag`.
 *
 * What a chart makes of its values is for its templates to say; these are the two forms that nearly all charts have. What `helm template` prints is
 * Kubernetes, and exact.
 */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import type { Collector } from './collector.ts'
import { beyondLimit, type ManifestText } from './text-place.ts'
import { member, memberText, type Tree } from './tree.ts'

const maxVisits = 2_000_000

type Walk = {
  readonly source: ManifestText
  readonly collect: Collector
  readonly global: string | undefined
  readonly left: { visits: number }
}

/** Finds them in all documents of a file. */
export function findInHelmValues(source: ManifestText, trees: readonly Tree[], collect: Collector): void {
  const left = { visits: maxVisits }
  for (const tree of trees) walk({ source, collect, global: memberText(member(tree, 'global'), 'imageRegistry'), left }, tree, '', '')
}

function walk(at: Walk, tree: Tree, path: string, name: string): void {
  if (--at.left.visits < 0) throw beyondLimit(at.source, 'its aliases make too many values of it', `at most ${maxVisits}`)
  if (tree.kind === 'list') for (const [index, item] of tree.items.entries()) walkItem(at, item, `${path}[${index}]`, name)
  if (tree.kind !== 'map') return
  if (isParts(tree, name)) takeParts(at, tree, path)
  for (const [key, value] of tree.entries) {
    const below = path === '' ? key : `${path}.${key}`
    if (value.kind === 'text' && isImageName(key)) takeText(at, tree, value, below)
    else if (value.kind === 'text' && /images$/i.test(name)) takeText(at, undefined, value, below)
    else walk(at, value, below, key)
  }
}

function walkItem(at: Walk, item: Tree, path: string, name: string): void {
  if (item.kind === 'text' && /images$/i.test(name)) takeText(at, undefined, item, path)
  else walk(at, item, path, name)
}

function isImageName(key: string): boolean {
  return key === 'image' || key.endsWith('Image') || key.endsWith('_image')
}

/** A repository is an image's when it says so by its place or by what stands beside it; of a git repository neither is true. */
function isParts(tree: Tree, name: string): boolean {
  if (memberText(tree, 'repository') === undefined || tree.kind !== 'map') return false
  return /image/i.test(name) || ['registry', 'tag', 'digest', 'pullPolicy'].some((key) => tree.entries.has(key))
}

function takeParts({ collect, global }: Walk, tree: Tree, path: string): void {
  const repository = member(tree, 'repository') as Extract<Tree, { kind: 'text' }>
  const registry = global ?? memberText(tree, 'registry')
  const name = registry === undefined ? repository.text : `${registry.replace(/\/$/, '')}/${repository.text}`
  const tag = memberText(tree, 'tag')
  const digest = memberText(tree, 'digest') ?? memberText(tree, 'sha256')
  const { start, end } = repository
  const tagged = tag === undefined ? name : `${name}:${tag}`
  const text = digest === undefined ? tagged : `${tagged}@${digest.includes(':') ? digest : `sha256:${digest}`}`
  if (tag === undefined && digest === undefined && !/[:@]/.test(repository.text.slice(repository.text.lastIndexOf('/') + 1))) {
    collect.add({ text, start, end, path, skip: 'the chart chooses the tag: verify what "helm template" prints', unresolved: true })
    return
  }
  const place = digestPlace(tree) ?? tagPlace(tree) ?? { start, end }
  collect.add({ text, path, ...place })
}

/** A digest that stands there, also an empty one, is what the chart writes after `@`. */
function digestPlace(tree: Tree): { start: number; end: number; part: 'digest' } | undefined {
  const found = tree.kind === 'map' ? tree.entries.get('digest') : undefined
  if (found?.kind !== 'text' || found.absent) return undefined
  return { start: found.start, end: found.end, part: 'digest' }
}

function tagPlace(tree: Tree): { start: number; end: number; part: 'tag' } | undefined {
  const found = member(tree, 'tag')
  return found?.kind !== 'text' || found.text === '' ? undefined : { start: found.start, end: found.end, part: 'tag' }
}

/** `image: repo` may have `tag: 1.2` beside it. */
function takeText({ collect }: Walk, siblings: Tree | undefined, value: Extract<Tree, { kind: 'text' }>, path: string): void {
  const { text, start, end } = value
  if (text.trim() === '') return
  const tag = /[:@]/.test(text.slice(text.lastIndexOf('/') + 1)) ? undefined : memberText(siblings, 'tag')
  if (!isReference(text)) {
    if (text.includes('{{'))
      collect.add({ text, start, end, path, skip: 'a template: verify what "helm template" prints', unresolved: true })
    return
  }
  const place = tag === undefined || siblings === undefined ? undefined : tagPlace(siblings)
  if (place === undefined) collect.add({ text, start, end, path })
  else collect.add({ text: `${text}:${tag}`, path, ...place })
}

function isReference(text: string): boolean {
  try {
    return parseReference(text).place.kind === 'registry'
  } catch (cause) {
    if (cause instanceof CountersignError) return false
    throw cause
  }
}
