/** Images in Compose files (compose-spec): services, and volumes of the type `image`. */
import type { Collector } from './collector.ts'
import type { Given } from './model.ts'
import type { ManifestText } from './text-place.ts'
import { member, memberText, type Tree } from './tree.ts'
import { expand } from './variables.ts'

/** Whether a document is a Compose file. */
export function isComposeFile(tree: Tree): boolean {
  return member(tree, 'services')?.kind === 'map' && memberText(tree, 'apiVersion') === undefined
}

/** Finds them in all documents of a file. */
export function findInCompose(source: ManifestText, trees: readonly Tree[], collect: Collector, given: Given): void {
  for (const tree of trees) {
    const services = member(tree, 'services')
    for (const [name, service] of services?.kind === 'map' ? services.entries : []) {
      const path = `services.${name}`
      if (service.kind !== 'map') continue
      takeService(source, collect, given, service, path)
      const volumes = member(service, 'volumes')
      for (const [index, volume] of (volumes?.kind === 'list' ? volumes.items : []).entries()) {
        const image = memberText(volume, 'type') === 'image' ? member(volume, 'source') : undefined
        if (image !== undefined) add(source, collect, given, image, `${path}.volumes[${index}].source`)
      }
    }
    const include = member(tree, 'include')
    if (include !== undefined)
      collect.add({ ...elsewhere(source, include, 'include'), skip: 'it includes other files, which are not read', unresolved: true })
  }
}

function takeService(source: ManifestText, collect: Collector, given: Given, service: Tree, path: string): void {
  const image = member(service, 'image')
  const build = member(service, 'build')
  const parent = member(service, 'extends')
  // With `build` beside it an image is pulled first all the same, and built when the registry has none (compose-spec, "Using build and image"):
  // whoever registers the name chooses what runs, unless `pull_policy` says to build.
  const built = build !== undefined && (image === undefined || ['build', 'never'].includes(memberText(service, 'pull_policy') ?? ''))
  if (built) {
    takeInlineBuild(source, collect, build, path)
    const named = image ?? build
    collect.add({
      ...elsewhere(source, named, `${path}.${image === undefined ? 'build' : 'image'}`),
      skip: 'it is built here; verify its Dockerfile',
    })
  } else if (image !== undefined) add(source, collect, given, image, `${path}.image`)
  else if (memberText(parent, 'file') !== undefined && parent !== undefined)
    collect.add({
      ...elsewhere(source, parent, `${path}.extends`),
      skip: 'it extends a service of another file, which is not read',
      unresolved: true,
    })
}

/** What a build takes its images from in this very file: no Dockerfile that somebody verifies names them. */
function takeInlineBuild(source: ManifestText, collect: Collector, build: Tree, path: string): void {
  const inline = member(build, 'dockerfile_inline')
  if (inline !== undefined)
    collect.add({
      ...elsewhere(source, inline, `${path}.build.dockerfile_inline`),
      skip: 'a Dockerfile inside of this file is not read: put it into a file of its own, and verify that',
      unresolved: true,
    })
  const contexts = member(build, 'additional_contexts')
  const entries = contexts?.kind === 'map' ? [...contexts.entries] : contexts?.kind === 'list' ? [...contexts.items.entries()] : []
  for (const [name, context] of entries) {
    const written = context.kind === 'text' ? context.text : ''
    // By a variable it may be one.
    if (!written.includes('docker-image://') && !written.includes('$')) continue
    collect.add({
      ...elsewhere(source, context, `${path}.build.additional_contexts.${name}`),
      skip: 'an image that stands in the place of one of the Dockerfile is not read',
      unresolved: true,
    })
  }
}

function elsewhere({ text }: ManifestText, tree: Tree, path: string): { text: string; start: number; end: number; path: string } {
  const { start, end } = tree
  const [written = ''] = (tree.kind === 'text' ? tree.text : text.slice(start, end)).slice(0, 200).split(/[\r\n]/, 1)
  return { text: written, start, end: tree.kind === 'text' ? end : start + written.length, path }
}

function add(source: ManifestText, collect: Collector, given: Given, tree: Tree, path: string): void {
  if (tree.kind !== 'text') {
    collect.add({ ...elsewhere(source, tree, path), skip: 'the image is no text', unresolved: true })
    return
  }
  const { text, start, end } = tree
  const {
    text: expanded,
    missing,
    fallback,
  } = expand(
    text,
    { kind: 'compose' },
    (name) => given.variables?.get(name) ?? given.environment?.[name] ?? given.environmentFile?.get(name),
  )
  if (expanded === undefined) {
    collect.add({ text, start, end, path, skip: `the variable ${missing ?? ''} has no value`, unresolved: true })
    return
  }
  const inner =
    fallback !== undefined && source.text.slice(start, end) === text
      ? { start: start + fallback.start, end: start + fallback.end }
      : { start, end }
  if (expanded.trim() === '') collect.add({ text, start, end, path, skip: 'no image is named', unresolved: true })
  else collect.add({ text: expanded.trim(), ...inner, path })
}
