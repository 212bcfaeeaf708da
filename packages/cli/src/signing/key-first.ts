/** Verbs that sign images begin with their key: opening it takes longer than all else together. */
import type { Body } from '../command/model.ts'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { standardStream } from '../terminal/streams.ts'
import { beginSigner, type BegunSigner } from './signer.ts'

/** The body of a verb that gets its key on the way. */
export type SigningBody = (invocation: Invocation, key: BegunSigner) => Promise<Conclusion>

/** The body itself is loaded, which takes tens of milliseconds, while the key is being opened. */
export function keyFirst(load: () => Promise<SigningBody>): Body {
  return async (invocation) => {
    const key = beginSigner(invocation)
    // Loading keeps this thread busy: not before another one has the key. What is wrong with it, the body says in its turn.
    await key.catch(() => undefined)
    const body = await load()
    // Every such verb says on stderr what it did: opened now, nobody waits for it in the end.
    standardStream('stderr')
    return body(invocation, key)
  }
}
