/** Makes names in folders durable, one sync for all that wait for the same folder. */
import { syncFolder } from '../data-folder/durable-file.ts'

type Syncing = { running: Promise<void>; next: Promise<void> | undefined }

/** Resolves when every name that was in the folder at the call is durable. */
export type FolderSync = (folder: string) => Promise<void>

/** A sync that is running may have begun before a name came: who comes meanwhile shares the one after it. */
export function folderSync(sync: (folder: string) => Promise<void> = syncFolder): FolderSync {
  const folders = new Map<string, Syncing>()
  const start = (folder: string): Promise<void> => {
    const state: Syncing = { running: sync(folder), next: undefined }
    folders.set(folder, state)
    const end = () => {
      if (state.next === undefined) folders.delete(folder)
    }
    state.running.then(end, end)
    return state.running
  }
  return (folder) => {
    const state = folders.get(folder)
    if (state === undefined) return start(folder)
    // A failed sync says nothing about what came after it: the next one runs in any case.
    state.next ??= state.running.then(
      () => start(folder),
      () => start(folder),
    )
    return state.next
  }
}
