/** Paths that a file mentions are relative to that file. */
import { isAbsolute, join } from 'node:path'

/** A path as seen from the folder of the file that mentions it; `''` is the working folder. */
export function within(folder: string, path: string): string {
  return folder === '' || isAbsolute(path) ? path : join(folder, path)
}

/** An image as written; images in layouts and archives are named by paths. */
export function imageWithin(folder: string, image: string): string {
  for (const scheme of ['oci:', 'oci-archive:']) {
    if (image.startsWith(scheme) && image.length > scheme.length) return scheme + within(folder, image.slice(scheme.length))
  }
  return image
}
