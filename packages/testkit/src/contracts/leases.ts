/** What all `Leases` do, for several holders. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Leases } from '@countersign/server/base/leases/lease'
import { type PortCase, portCases, type PortSubject } from './contract.ts'

/** The leases of one holder, all over the same store. */
export type LeasesOf = (holder: string) => Leases

/** The contract as cases for any test framework. Time passes for real. What has to happen within a time has seconds for it: the machine may be busy. */
export function leasesContract(subject: PortSubject<LeasesOf, LeasesSentence>): readonly PortCase[] {
  return portCases(subject, sentences)
}

/** The sentences of the contract. */
export type LeasesSentence = keyof typeof sentences

const long = 60_000

const sentences = {
  'gives a free lease, and renews it under the same fence': async (leasesOf: LeasesOf): Promise<void> => {
    const a = leasesOf('a')
    const first = await a.take('sequencer', long)
    const second = await a.take('sequencer', long)
    assert.equal(first?.name, 'sequencer')
    assert.equal(second?.fence, first?.fence)
    assert.ok((second?.expiresAt ?? 0) >= (first?.expiresAt ?? 0))
  },
  'refuses while another one holds it': async (leasesOf: LeasesOf): Promise<void> => {
    await leasesOf('a').take('sequencer', long)
    assert.equal(await leasesOf('b').take('sequencer', long), undefined)
    assert.ok(await leasesOf('b').take('another', long))
  },
  'gives it to the next one after its expiry, with a greater fence': async (leasesOf: LeasesOf): Promise<void> => {
    const first = await leasesOf('a').take('sequencer', 50)
    await sleep(80)
    const second = await leasesOf('b').take('sequencer', long)
    assert.ok(first !== undefined && second !== undefined && second.fence > first.fence)
    assert.equal(await leasesOf('a').take('sequencer', long), undefined)
  },
  'lasts as long as it is renewed in time': async (leasesOf: LeasesOf): Promise<void> => {
    const a = leasesOf('a')
    for (let renewals = 0; renewals < 6; renewals++) {
      assert.ok(await a.take('sequencer', 2_000))
      await sleep(400)
      assert.equal(await leasesOf('b').take('sequencer', 2_000), undefined)
    }
  },
  'is free at once when it was given back, and has another fence for whoever takes it': async (leasesOf: LeasesOf): Promise<void> => {
    const a = leasesOf('a')
    const first = await a.take('sequencer', long)
    assert.ok(first)
    await a.release(first)
    const second = await a.take('sequencer', long)
    assert.ok(second !== undefined && second.fence > first.fence)
    await a.release(second)
    const third = await leasesOf('b').take('sequencer', long)
    assert.ok(third !== undefined && third.fence > second.fence)
  },
  'is not given back by who lost it': async (leasesOf: LeasesOf): Promise<void> => {
    const lost = await leasesOf('a').take('sequencer', 20)
    await sleep(50)
    assert.ok(await leasesOf('b').take('sequencer', long))
    assert.ok(lost)
    await leasesOf('a').release(lost)
    assert.equal(await leasesOf('a').take('sequencer', long), undefined)
    assert.equal(await leasesOf('c').take('sequencer', long), undefined)
  },
  'goes to one of many who want it at once': async (leasesOf: LeasesOf): Promise<void> => {
    const holders = Array.from({ length: 12 }, (_, index) => leasesOf(`holder ${index}`))
    const taken = await Promise.all(holders.map((leases) => leases.take('sequencer', long)))
    assert.equal(taken.filter((lease) => lease !== undefined).length, 1)
  },
}
