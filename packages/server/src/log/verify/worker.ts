/** The thread that verifies: one message with many jobs in, one with as many results out. */
import { parentPort } from 'node:worker_threads'
import { verifyDigest } from '../../base/crypto/verify-digest.ts'
import type { VerifyJob, VerifyResult } from './message.ts'

async function answer(jobs: readonly VerifyJob[]): Promise<void> {
  const results: VerifyResult[] = []
  for (const { id, algorithm, key, digest, signature } of jobs) {
    results.push({ id, holds: await verifyDigest(algorithm, key, digest, signature) })
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
  parentPort?.postMessage(results)
}

// The one effect at load: this module is a thread's program, nobody imports it.
parentPort?.on('message', (jobs: readonly VerifyJob[]) => void answer(jobs))
