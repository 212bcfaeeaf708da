/** A port for a server that has to know its own before it listens. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Above what services are known by, below what systems give to connections (Linux from 32,768, others from 49,152). */
const [first, end] = [10_240, 32_768] as const
const attempts = 50

/**
 * A port of a host (name or address, without brackets) that nobody listens on now. Chosen at random where the system chooses none by itself: one that it
 * chose and took back it may give to whoever asks next, before the server listens, or, at a later start, to a connection. Throws
 * what listening throws, e.g. for an address of another machine.
 */
export async function freePort(host: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = randomInt(first, end)
    const failure = await whyNotListening(host, port)
    if (failure === undefined) return port
    if (failure.code !== 'EADDRINUSE' || attempt === attempts) throw failure
  }
}

/** Why nobody can listen on a port of a host now; `undefined` when somebody could. Port 0 asks for any. */
export function whyNotListening(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', resolve)
    probe.listen(port, host, () => probe.close(() => resolve(undefined)))
  })
}
