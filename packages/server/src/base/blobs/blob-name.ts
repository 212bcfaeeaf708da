/** Names of blobs: what may be one, for every store. */
import { CountersignError } from '@countersign/core/failure'

/** Checks a name of a blob. Throws `blob_name_malformed`; nothing that passes can leave a folder or mean two things in a URL. */
export function checkBlobName(name: string): void {
  if (!isBlobName(name)) throw malformed(name)
}

/** True for names of blobs. */
export function isBlobName(name: string): boolean {
  return /^[A-Za-z0-9._/-]{1,512}$/.test(name) && name.split('/').every(isSegment)
}

/** Checks what names may begin with: empty, or the beginning of a name. Throws `blob_name_malformed`. */
export function checkBlobPrefix(prefix: string): void {
  const segments = prefix.split('/')
  const last = segments.pop() ?? ''
  if (!/^[A-Za-z0-9._/-]{0,512}$/.test(prefix) || !segments.every(isSegment) || last === '..') throw malformed(prefix)
}

/** True for what stands between the slashes of a name. */
export function isSegment(text: string): boolean {
  // 255 bytes are what file systems take.
  return text !== '' && text !== '.' && text !== '..' && text.length <= 255
}

function malformed(name: string): CountersignError {
  const found = JSON.stringify(name.slice(0, 80))
  const expected = '1 to 512 characters of A-Z, a-z, 0-9, ".", "_", "-" and "/", without an empty, "." or ".." segment'
  return new CountersignError('blob_name_malformed', `${found} is no name of a blob`, { expected, found })
}
