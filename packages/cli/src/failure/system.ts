/** What the operating system says, in words: an error code alone helps nobody. */
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
export function becauseOf(cause: unknown): string {
  const reason = reasons[systemCode(cause) ?? '']
  return reason === undefined ? '' : `: ${reason}`
}
