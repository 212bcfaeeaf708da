/** What the operating system says about files, in words: an error code alone helps nobody. */
import { CountersignError } from '@countersign/core/failure'

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the name is too long',
}

/** The code of a system error, such as `ENOSPC`; `undefined` for anything else. */
export function systemCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return undefined
  return /^E[A-Z0-9]+$/.test(cause.code) ? cause.code : undefined
}

/** `: REASON` to put behind what failed; empty when the cause is no system error that is known here. */
function becauseOf(cause: unknown): string {
  const reason = reasons[systemCode(cause) ?? '']
  return reason === undefined ? '' : `: ${reason}`
}

/** The failure of a file that could not be written: `io_failed`, with the reason. */
export function unwritableFile(path: string, cause: unknown): CountersignError {
  return new CountersignError('io_failed', `cannot write ${path}${becauseOf(cause)}`, {
    cause,
    hint: 'Check that the folder exists, has room and may be written to.',
  })
}

/** The failure of a file that could not be read: `file_not_found` or `io_failed`, with the reason. A failure of the platform stays what it is. */
export function unreadableFile(path: string, cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause
  const code = systemCode(cause)
  if (code === 'ENOENT' || code === 'ENOTDIR') return new CountersignError('file_not_found', `no such file: ${path}`, { cause })
  const reason = becauseOf(cause)
  return new CountersignError('io_failed', `cannot read ${path}${reason}`, {
    cause,
    ...(reason === '' ? {} : { hint: 'Name a file that you may read.' }),
  })
}
