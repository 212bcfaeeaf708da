/** Platforms as text, `os/architecture[/variant]` (image-spec image-index.md, `platform`). */
import type { Platform } from './model.ts'

/** As in `linux/amd64` or `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}

/** Whether a platform, as text, is the one that was named: a name without a variant stands for every variant, as `linux/arm64` for `linux/arm64/v8`. */
export function isPlatform(platform: string, named: string): boolean {
  return platform === named || (named.includes('/') && platform.startsWith(`${named}/`))
}
