/** Opens the HTTP client of a run, as its connection says. */
import type { Connection } from './connection.ts'
import { unreadableFile } from './file-failure.ts'
import type { HttpClient } from './http/client.ts'

/** What tests turn. */
export type RunTuning = {
  readonly retries?: number
  readonly retryDelayMs?: number
  readonly idleMs?: number
  readonly random?: () => number
}

/**
 * A client whose deadline counts from `startedAt` (`performance.now()`). Throws what reading the files of the connection throws. Close it when
 * nothing more is asked.
 *
 * @example
 * ```ts
 * const client = await openClient({ environment: process.env, deadlineMs: 60_000 })
 * console.log(client.deadline.remainingMs())
 * client.close()
 * ```
 */
export async function openClient(
  connection: Connection,
  tuning: RunTuning = {},
  startedAt: number = performance.now(),
): Promise<HttpClient> {
  const [{ createHttpClient }, { createTransport }, { startDeadline }] = await Promise.all([
    import('./http/client.ts'),
    import('./http/transport.ts'),
    import('./http/deadline.ts'),
  ])
  const [ca, clientCertificate, clientKey] = await Promise.all([
    readPem(connection.caFile),
    readPem(connection.clientCertificateFile),
    readPem(connection.clientKeyFile),
  ])
  const transport = createTransport({
    environment: connection.environment,
    allowInsecure: connection.allowInsecure === true,
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
    ...(connection.serverName === undefined ? {} : { serverName: connection.serverName }),
    ...(tuning.idleMs === undefined ? {} : { idleMs: tuning.idleMs }),
  })
  const client = createHttpClient({
    transport,
    deadline: startDeadline(Math.max(1, (connection.deadlineMs ?? 180_000) - (performance.now() - startedAt))),
    parallelism: connection.parallelism ?? 32,
    random: tuning.random ?? Math.random,
    ...(tuning.retries === undefined ? {} : { retries: tuning.retries }),
    ...(tuning.retryDelayMs === undefined ? {} : { retryDelayMs: tuning.retryDelayMs }),
  })
  return connection.trace === undefined ? client : (await import('./trace.ts')).tracedClient(client, connection.trace)
}

async function readPem(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const { readFile } = await import('node:fs/promises')
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw unreadableFile(file, cause)
  }
}
