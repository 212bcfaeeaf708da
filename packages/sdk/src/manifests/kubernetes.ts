/**
 * Images in Kubernetes objects, of every kind: whatever is shaped like a PodSpec holds images, wherever it stands.
 *
 * A list of kinds would miss the next kind, and with it an image that nobody verifies; so nothing depends on `kind` but messages.
 */
import { parseReference } from '@countersign/core/oci/reference'
import { CountersignError } from '@countersign/core/failure'
import type { Collector } from './collector.ts'
import { beyondLimit, type ManifestText } from './text-place.ts'
import { memberText, type Tree } from './tree.ts'

/** Lists whose items run an image (PodSpec v1; Argo Workflows and Tekton beside it). */
const lists = new Set(['containers', 'initContainers', 'ephemeralContainers', 'sidecars', 'steps'])
/** Single ones: Argo Workflows' templates, Tekton's step templates, KubeVirt's disks. */
const singles = new Set(['container', 'script', 'stepTemplate', 'containerDisk', 'sidecar'])

const maxVisits = 2_000_000

type Walk = {
  readonly source: ManifestText
  readonly collect: Collector
  readonly object: string
  readonly ours: boolean
  readonly left: { visits: number }
}

/** Whether a document is a Kubernetes object. */
export function isKubernetesObject(tree: Tree): boolean {
  return memberText(tree, 'apiVersion') !== undefined && memberText(tree, 'kind') !== undefined
}

/** Finds them in all documents of a file. */
export function findInKubernetes(source: ManifestText, trees: readonly Tree[], collect: Collector): void {
  const left = { visits: maxVisits }
  for (const tree of trees) walk({ source, collect, object: '', ours: false, left }, tree, '')
}

function walk(at: Walk, tree: Tree, path: string): void {
  if (--at.left.visits < 0) throw beyondLimit(at.source, 'its aliases make too many values of it', `at most ${maxVisits}`)
  if (tree.kind === 'list') for (const [index, item] of tree.items.entries()) walk(at, item, `${path}[${index}]`)
  if (tree.kind !== 'map') return
  // Items of a List are objects of their own.
  const here = isKubernetesObject(tree) ? { ...at, object: objectName(tree), ours: isBuiltIn(memberText(tree, 'apiVersion') ?? '') } : at
  const inside = here === at ? path : ''
  if (here !== at && rendersElsewhere(tree)) {
    const { start } = tree
    const text = here.object
    here.collect.add({
      text,
      start,
      end: start,
      path: inside,
      object: text,
      skip: 'what it renders to is not in this file: verify the rendered objects',
    })
  }
  for (const [name, value] of tree.entries) {
    const below = inside === '' ? name : `${inside}.${name}`
    if (lists.has(name) && value.kind === 'list')
      for (const [index, item] of value.items.entries()) takeImage(here, item, `${below}[${index}]`)
    else if (singles.has(name)) takeImage(here, value, below)
    else if (name === 'volumes' && value.kind === 'list')
      for (const [index, item] of value.items.entries()) takeReference(here, item, `${below}[${index}]`)
    else if (/^image$|Image$/.test(name) && !here.ours && value.kind === 'text' && looksLikeImage(value.text)) add(here, value, below)
    walk(here, value, below)
  }
}

function takeImage(at: Walk, container: Tree, path: string): void {
  const image = container.kind === 'map' ? container.entries.get('image') : undefined
  if (image !== undefined) add(at, image, `${path}.image`)
}

/** OCI image volumes (KEP-4639): `volumes[].image.reference`. */
function takeReference(at: Walk, volume: Tree, path: string): void {
  const image = volume.kind === 'map' ? volume.entries.get('image') : undefined
  const reference = image?.kind === 'map' ? image.entries.get('reference') : undefined
  if (reference !== undefined) add(at, reference, `${path}.image.reference`)
}

function add({ collect, object }: Walk, value: Tree, path: string): void {
  const { start, end } = value
  const of = object === '' ? {} : { object }
  if (value.kind === 'text' && value.text.trim() !== '') collect.add({ text: value.text.trim(), start, end, path, ...of })
  else
    collect.add({
      text: '',
      start,
      end,
      path,
      ...of,
      skip: value.kind === 'text' ? 'no image is named' : 'the image is no text',
      unresolved: true,
    })
}

function objectName(tree: Tree): string {
  const metadata = tree.kind === 'map' ? tree.entries.get('metadata') : undefined
  const name = memberText(metadata, 'name') ?? memberText(metadata, 'generateName')
  return `${memberText(tree, 'kind') ?? ''}${name === undefined ? '' : `/${name}`}`.slice(0, 200)
}

/** Objects that name a chart or a folder; their images are known when somebody has rendered it. */
function rendersElsewhere(tree: Tree): boolean {
  const apiVersion = memberText(tree, 'apiVersion') ?? ''
  if (apiVersion.startsWith('argoproj.io/')) return /^Application(?:Set)?$/.test(memberText(tree, 'kind') ?? '')
  return /^(?:helm\.toolkit\.fluxcd\.io|kustomize\.toolkit\.fluxcd\.io|helm\.cattle\.io|kustomize\.config\.k8s\.io)\//.test(apiVersion)
}

/** The groups of Kubernetes itself keep images in PodSpecs alone; there an `image` elsewhere is something else. */
function isBuiltIn(apiVersion: string): boolean {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  return group === '' || !group.includes('.') || group.endsWith('.k8s.io')
}

/** In objects of others: what can be nothing but a reference, so that `image: logo.png` is none. */
function looksLikeImage(text: string): boolean {
  if (!/[/@:]/.test(text) || text.includes('://')) return false
  try {
    return parseReference(text).place.kind === 'registry'
  } catch (cause) {
    if (cause instanceof CountersignError) return false
    throw cause
  }
}
