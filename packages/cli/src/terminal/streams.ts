/** stdout and stderr, opened when they are first needed: opening takes milliseconds, which a key or a registry can be waited for meanwhile. */

/** The two. */
type StreamName = 'stdout' | 'stderr'

const opened = new Map<StreamName, NodeJS.WriteStream>()

/** One of the two, guarded against a reader that goes away. */
export function standardStream(name: StreamName): NodeJS.WriteStream {
  const known = opened.get(name)
  if (known !== undefined) return known
  const stream = process[name]
  stream.on('error', ignoreBrokenPipe)
  opened.set(name, stream)
  return stream
}

/** Those that something was written to, or might have been. */
export function openedStreams(): readonly NodeJS.WriteStream[] {
  return [...opened.values()]
}

/** A reader that went away (`| head`) is no failure: the work goes on and the exit code stays true. */
function ignoreBrokenPipe(error: Error & { readonly code?: string }): void {
  if (error.code !== 'EPIPE') throw error
}
