/**
 * What the completion scripts call: `countersign __complete WORD…` prints `word<TAB>about` for each word that may be typed, then `:files` or
 * `:`. Nothing is said on stderr and nothing fails: a shell is waiting.
 */
import { findProfile } from '../profile/find.ts'
import { readProfile, type Profile } from '../profile/schema.ts'
import { standardStream } from '../terminal/streams.ts'
import { completionOf } from './candidates.ts'

const maxCandidates = 1000

/** Prints the completion of the last word; answers the exit code. */
export async function complete(words: readonly string[]): Promise<number> {
  let profile: Promise<Profile | undefined> | undefined
  const read = (): Promise<Profile | undefined> => (profile ??= profileHere(words))
  const known = {
    images: async () => (await read())?.images ?? [],
    profiles: async () => (await read())?.names ?? [],
  }
  const { candidates, files } = await completionOf(words, known)
  const lines = candidates.slice(0, maxCandidates).map(({ word, about }) => `${word}\t${about.split('\n', 1)[0] ?? ''}\n`)
  standardStream('stdout').write(`${lines.join('')}${files ? ':files' : ':'}\n`)
  return 0
}

/** The profile of the command line being typed, or the usual one; one that cannot be read completes nothing. */
async function profileHere(words: readonly string[]): Promise<Profile | undefined> {
  const at = words.lastIndexOf('--profile')
  const typed = words.findLast((word) => word.startsWith('--profile='))?.slice('--profile='.length) ?? (at < 0 ? undefined : words[at + 1])
  // A name in it says nothing about which images and names there are.
  const file = typed === undefined || /^[\w-]*$/.test(typed) ? undefined : typed.replace(/#.*$/, '')
  try {
    const found = await findProfile(file, process.cwd(), process.env)
    if (found === undefined) return undefined
    const [here, account] = [await readProfile(found), found.account === undefined ? undefined : await readProfile(found.account)]
    return { ...here, names: [...here.names, ...(account?.names ?? [])], images: [...here.images, ...(account?.images ?? [])] }
  } catch {
    return undefined
  }
}
