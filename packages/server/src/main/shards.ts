/**
 * The instances of a service while it runs: those of before, which still answer for what they signed, and the one that signs. A rotation by the
 * command line is noticed within seconds; nothing signs with a key before clients are told of it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { type InstanceRole, mayHaveSigned, type TrustInstance } from '../trust/instances.ts'
import type { Trust } from '../trust/trust.ts'
import type { ServerPlatform } from './platform.ts'

/** Instances that are open, the active one last. The list grows while the service runs. */
export type Live<T> = {
  readonly all: readonly T[]
  readonly active: () => T
  readonly close: () => Promise<void>
}

/** How the instances of one role are opened and left. */
export type LiveOptions<T> = {
  readonly platform: Pick<ServerPlatform, 'log'>
  readonly trust: Pick<Trust, 'instances' | 'inForce' | 'close'>
  readonly role: InstanceRole
  /** Opens an instance; `before` are those that are open already. */
  readonly open: (instance: TrustInstance, before: readonly T[]) => Promise<T>
  /** Called once for each that is not the active one any more, after requests that had it have had their answers. */
  readonly leave?: (instance: T) => Promise<void>
  /** Whether those of before are opened too. Default true: logs are read for ever. */
  readonly keepOld?: boolean
  readonly clock: () => number
}

const pollMs = 2_000
/** Longer than another process takes to notice, too. */
const leaveMs = 5_000
const overlapMs = 60 * 60_000

/** Opens all instances of a role and watches for the next. Throws what `open` throws. */
export async function liveInstances<T>(options: LiveOptions<T>): Promise<Live<T>> {
  const all: T[] = []
  const known = new Set<string>()
  const stopped = new AbortController()
  const left: Promise<void>[] = []
  const replace = (instance: T, { id, validFor }: TrustInstance): void => {
    left.push(leaveOne(options, instance, id, validFor.end === undefined, stopped.signal))
  }
  const opened: TrustInstance[] = []
  const open = async (instance: TrustInstance): Promise<void> => {
    const before = all.at(-1)
    const old = opened.at(-1)
    all.push(await options.open(instance, all))
    known.add(instance.id)
    opened.push(instance)
    if (before !== undefined && old !== undefined) replace(before, old)
  }
  const instances = await usable(options, known)
  for (const instance of options.keepOld === false ? instances.slice(-1) : instances) await open(instance)
  if (all.length === 0) {
    throw new CountersignError('trust_damaged', `there is no instance of ${options.role} on record`, {
      hint: 'Restore the database from a backup.',
    })
  }
  for (const { id } of instances) known.add(id)
  const watching = watch(
    async () => {
      for (const instance of await usable(options, known)) await open(instance)
    },
    options,
    stopped.signal,
  )
  return {
    all,
    active: () => all.at(-1) as T,
    close: async () => {
      stopped.abort()
      await Promise.all([watching, ...left])
    },
  }
}

/** Instances that are not open yet and may be: it is time, and clients are told of them. The first of all is told of with the installation. */
async function usable<T>({ trust, role, clock }: LiveOptions<T>, known: ReadonlySet<string>): Promise<readonly TrustInstance[]> {
  const found: TrustInstance[] = []
  for (const instance of await trust.instances()) {
    if (instance.role !== role || known.has(instance.id) || !mayHaveSigned(instance, clock())) continue
    if ((found.length === 0 && known.size === 0) || (await trust.inForce(instance.id))) found.push(instance)
  }
  return found
}

async function watch<T>(look: () => Promise<void>, { platform: { log }, role }: LiveOptions<T>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(pollMs, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) return
    try {
      await look()
    } catch (failure) {
      log.error({ err: failure, role }, 'the next instance of a service cannot be opened')
    }
  }
}

async function leaveOne<T>(options: LiveOptions<T>, instance: T, id: string, isOpen: boolean, signal: AbortSignal): Promise<void> {
  const { platform, trust, clock } = options
  await sleep(leaveMs, undefined, { signal, ref: false }).catch(() => undefined)
  // What is not done now is done by the next start.
  if (signal.aborted) return
  try {
    await options.leave?.(instance)
    if (isOpen) await trust.close(id, clock() + overlapMs)
    platform.log.info({ instance: id }, 'replaced by its successor')
  } catch (failure) {
    platform.log.error({ err: failure, instance: id }, 'what was replaced could not be closed')
  }
}
