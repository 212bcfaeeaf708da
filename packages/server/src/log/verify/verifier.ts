/** Signatures over digests, verified in worker threads: a quarter of a millisecond each would stop everything else. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { CountersignError } from '@countersign/core/failure'
import type { PublicKey, SignatureAlgorithm } from '@countersign/core/keys/model'
import type { VerifyJob, VerifyResult } from './message.ts'

/** Verifies a signature over a digest. Rejects with `log_overloaded` when too many wait, `log_unavailable` when the threads have ended. */
export type DigestVerifier = {
  readonly verify: (algorithm: SignatureAlgorithm, key: PublicKey, digest: Uint8Array, signature: Uint8Array) => Promise<boolean>
  /** Ends the threads; what waits is rejected. */
  readonly close: () => Promise<void>
}

/** How many threads, and how much may wait. */
export type DigestVerifierOptions = {
  /** Default: one fewer than the processors, at least 1. */
  readonly threads?: number
  /** Default 8,192. */
  readonly maxWaiting?: number
  /** The program of a thread; default the one beside this file, which a bundle has elsewhere. */
  readonly program?: URL
}

/**
 * So many go to a thread at once: enough that the message costs little, few enough that no thread is idle while another has a heap. More when much
 * waits: under a flood of requests the event loop turns once a second, and a thread gets its next message at a turn.
 */
const [fewestJobs, mostJobs] = [32, 512]
/** Messages on the way to one thread: the next is there when the one before is done. */
const messagesPerThread = 2
/** So many threads may end one after the other without an answer: what ends all of them ends the next one too. */
const maxRestarts = 16

type Waiting = { readonly job: VerifyJob; readonly resolve: (holds: boolean) => void; readonly reject: (failure: unknown) => void }
type Thread = { readonly worker: Worker; readonly jobs: Map<number, Waiting>; messages: number }

/** Makes a verifier; threads start with the first signature and never keep the process alive. */
export function digestVerifier(options: DigestVerifierOptions = {}): DigestVerifier {
  const count = options.threads ?? Math.max(1, availableParallelism() - 1)
  const maxWaiting = options.maxWaiting ?? 8192
  const threads = new Set<Thread>()
  let queue: Waiting[] = []
  let nextId = 0
  let waiting = 0
  let restarts = 0
  let closed = false
  let scheduled = false

  const settle = (thread: Thread, id: number, end: (one: Waiting) => void): void => {
    const one = thread.jobs.get(id)
    if (one === undefined) return
    thread.jobs.delete(id)
    waiting--
    end(one)
  }
  const lose = (thread: Thread, failure: CountersignError): void => {
    if (!threads.delete(thread)) return
    for (const id of thread.jobs.keys()) settle(thread, id, ({ reject }) => reject(failure))
    if (!closed) restarts++
    flush()
  }
  const start = (): void => {
    const thread: Thread = { worker: newWorker(options.program), jobs: new Map(), messages: 0 }
    thread.worker.unref()
    thread.worker.on('message', (results: readonly VerifyResult[]) => {
      thread.messages--
      restarts = 0
      for (const { id, holds } of results) settle(thread, id, ({ resolve }) => resolve(holds))
      flush()
    })
    thread.worker.on('error', (cause) => lose(thread, lost(cause)))
    thread.worker.on('exit', () => lose(thread, lost()))
    threads.add(thread)
  }
  function flush(): void {
    scheduled = false
    while (queue.length > 0) {
      // A thread only when there is work for it.
      const idle = [...threads].filter(({ messages }) => messages < messagesPerThread).toSorted((a, b) => a.messages - b.messages)[0]
      if ((idle === undefined || idle.messages > 0) && threads.size < count && restarts < maxRestarts) {
        start()
        continue
      }
      if (idle === undefined) {
        if (threads.size === 0) failAll(lost())
        return
      }
      const share = Math.ceil(queue.length / (2 * count))
      const batch = queue.slice(0, Math.min(mostJobs, Math.max(fewestJobs, share)))
      queue = queue.slice(batch.length)
      for (const one of batch) idle.jobs.set(one.job.id, one)
      idle.messages++
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
      idle.worker.postMessage(batch.map(({ job }) => job))
    }
  }
  function failAll(failure: CountersignError): void {
    const left = queue
    queue = []
    waiting -= left.length
    for (const { reject } of left) reject(failure)
  }
  return {
    verify: (algorithm, key, digest, signature) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(lost())
        if (waiting >= maxWaiting) {
          return reject(
            new CountersignError('log_overloaded', `${waiting} signatures wait to be verified`, { hint: 'Try again in a second.' }),
          )
        }
        waiting++
        // Views would be sent with all of the buffer that they look into.
        const job: VerifyJob = { id: nextId++, algorithm, key: ownKey(key), digest: digest.slice(), signature: signature.slice() }
        queue.push({ job, resolve, reject })
        if (scheduled) return
        scheduled = true
        // What comes in this turn of the event loop shares a message.
        setImmediate(flush)
      }),
    close: async () => {
      closed = true
      failAll(lost())
      await Promise.all([...threads].map(async ({ worker }) => worker.terminate()))
    },
  }
}

function ownKey(key: PublicKey): PublicKey {
  return { ...key, spki: key.spki.slice(), raw: key.raw.slice() }
}

function newWorker(program: URL | undefined): Worker {
  const source = import.meta.url.endsWith('.ts')
  const file = program ?? new URL(source ? './worker.ts' : './worker.js', import.meta.url)
  return new Worker(file, { name: 'countersign-verify', ...(source ? { execArgv: ['--conditions=source'] } : {}) })
}

function lost(cause?: unknown): CountersignError {
  return new CountersignError('log_unavailable', 'the threads that verify signatures have ended', cause === undefined ? {} : { cause })
}
