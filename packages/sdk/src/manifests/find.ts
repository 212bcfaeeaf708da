/** Finds the images that a file mentions: Kubernetes objects, Helm output and values, Compose files, Dockerfiles, lists. */
import { CountersignError, unreachable } from '@countersign/core/failure'
import { type Collector, collector } from './collector.ts'
import { findInCompose, isComposeFile } from './compose.ts'
import { findInDockerfile } from './dockerfile.ts'
import { findInHelmValues } from './helm-values.ts'
import { findInLines, findInListOfTexts, isImageList, isListOfTexts } from './image-list.ts'
import { findInKubernetes, isKubernetesObject } from './kubernetes.ts'
import { type Given, type ManifestKind, maxManifestCharacters, type MentionedImages } from './model.ts'
import { beyondLimit, type ManifestText, manifestText } from './text-place.ts'
import { readTrees, type Tree } from './tree.ts'

/**
 * Finds all images that a file mentions, skipped ones with the reason. `file` is what messages call it; without `kind` its name and content tell
 * what it is. Nothing is fetched, and no reference is parsed: a mention may be nonsense.
 *
 * An empty result is no good news: whoever verifies a file in which nothing was found has verified nothing. Throws `file_malformed` as
 * `FILE:LINE:COLUMN: what`, `limit_exceeded`.
 *
 * @example
 * ```ts
 * const text = 'apiVersion: v1\nkind: Pod\nspec: { containers: [{ image: app:1.2 }] }'
 * const { kind, images } = await findImages(text, 'pod.yaml')
 * for (const { text, line, skip } of images) console.log(kind, line, text, skip ?? '')
 * ```
 */
export async function findImages(text: string, file: string, kind?: ManifestKind, given: Given = {}): Promise<MentionedImages> {
  const source = manifestText(file, text)
  if (text.length > maxManifestCharacters) throw beyondLimit(source, `${text.length} characters`, `at most ${maxManifestCharacters}`)
  const collect = collector(source)
  const known = kind ?? kindByName(file) ?? kindByLines(file, text)
  if (known === 'dockerfile') findInDockerfile(source, collect, given)
  if (known === 'dockerfile') return { kind: known, images: collect.all() }
  if (known === 'image-list' && isPlainList(text)) {
    findInLines(source, collect)
    return { kind: known, images: collect.all() }
  }
  const trees = await readTrees(source)
  const told = known ?? kindByContent(source, trees)
  findInTrees(source, trees, collect, told, given)
  return { kind: told, images: collect.all() }
}

function findInTrees(
  source: ManifestText,
  trees: readonly Tree[],
  collect: Collector,
  kind: Exclude<ManifestKind, 'dockerfile'>,
  given: Given,
): void {
  switch (kind) {
    case 'kubernetes':
      return findInKubernetes(source, trees, collect)
    case 'compose':
      return findInCompose(source, trees, collect, given)
    case 'helm-values':
      return findInHelmValues(source, trees, collect)
    case 'image-list':
      return findInListOfTexts(trees, collect)
    default:
      return unreachable(kind)
  }
}

function baseName(file: string): string {
  return file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1).toLowerCase()
}

function kindByName(file: string): 'dockerfile' | undefined {
  const name = baseName(file)
  return /^(?:dockerfile|containerfile)(?:\..*)?$/.test(name) || /\.(?:dockerfile|containerfile)$/.test(name) ? 'dockerfile' : undefined
}

/** What is no YAML or JSON by its name may be a Dockerfile by its first instruction, or a list by all its lines. */
function kindByLines(file: string, text: string): 'dockerfile' | 'image-list' | undefined {
  if (/\.(?:ya?ml|json)$/.test(baseName(file))) return undefined
  const first = text.split('\n', 1_000).find((line) => !/^\s*(?:#.*)?$/.test(line))
  if (/^\s*(?:from|arg)\s+[^\s:=]/i.test(first ?? '')) return 'dockerfile'
  return isImageList(text) ? 'image-list' : undefined
}

function isPlainList(text: string): boolean {
  // Blanks of one line alone: `\s` would run over all lines that follow, from each of them.
  return !/^[ \t]*(?:\[|-[ \t\r\n]|---[ \t\r]*$)/m.test(text)
}

function kindByContent({ file }: ManifestText, trees: readonly Tree[]): Exclude<ManifestKind, 'dockerfile'> {
  if (trees.some(isKubernetesObject)) return 'kubernetes'
  if (trees.some(isComposeFile) || (/^(?:docker-)?compose\b.*\.ya?ml$/.test(baseName(file)) && trees.some(({ kind }) => kind === 'map')))
    return 'compose'
  if (trees.length > 0 && trees.every(isListOfTexts)) return 'image-list'
  if (trees.some(({ kind }) => kind === 'map')) return 'helm-values'
  throw new CountersignError('file_malformed', `${file}: this is no file that names images`, {
    expected: 'Kubernetes objects, Compose, a Dockerfile, Helm values, or a list of images',
    found: trees.length === 0 ? 'nothing' : (trees.map(({ kind }) => kind)[0] ?? ''),
  })
}
