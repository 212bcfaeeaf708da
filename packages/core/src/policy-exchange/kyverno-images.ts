/** What Kyverno's two kinds of policy have in common: names, and wildcards over images. */
import type { JsonObject } from '../json/parse.ts'
import type { ArtifactPolicy, Decision } from '../policy/model.ts'
import { toKyvernoImage } from './image-globs.ts'
import type { LossLog } from './losses.ts'

/** Says that the cluster admits what the policy does not speak of: nothing in the document does, since nothing there enforces it. */
export const unmatchedAnnotation = 'countersign.dev/unmatched'

/** A name as Kubernetes has them, and what the cluster makes of images that the policy does not speak of. */
export function kyvernoMetadata({ name, unmatched, match }: ArtifactPolicy): JsonObject {
  const open = unmatched === 'allow' || match.images.includes('**') ? { annotations: { [unmatchedAnnotation]: unmatched } } : {}
  return { name: clusterName(name), ...open }
}

/** A name as Kubernetes has them. */
export function clusterName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** Globs as wildcards. One that matches more than the glob is weaker where the rest is refused, else stricter. */
export function kyvernoImages(globs: readonly string[], unmatched: Decision, path: string, log: LossLog): readonly string[] {
  return [
    ...new Set(
      globs.flatMap((glob) => {
        const { wildcards, exact } = toKyvernoImage(hubName(glob))
        if (!exact) {
          const reason = `a star stands for slashes too there: ${glob} covers more images`
          if (unmatched === 'allow') log.stricter(path, reason)
          else log.weaker(path, reason)
        }
        return wildcards
      }),
    ),
  ]
}

/** Images of Docker Hub are `docker.io/name` there, also the official ones. */
function hubName(glob: string): string {
  const first = glob.split('/')[0] ?? ''
  if (/[*?]/.test(first)) return glob
  const named = glob.includes('/') && (/[.:]/.test(first) || first === 'localhost') ? glob : `docker.io/${glob}`
  return named.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, 'docker.io/')
}
