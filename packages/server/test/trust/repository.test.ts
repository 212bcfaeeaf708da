import { memoryKey } from '@countersign/testkit/memory-keys'
import type { CountersignError } from '@countersign/core/failure'
import { parseSigningConfig } from '@countersign/core/trust/signing-config'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { signTufFile } from '@countersign/core/tuf/sign'
import { parseTufMetadata } from '@countersign/core/tuf/read'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { addSignatures, proposeRoot, publishProposals, withdrawProposal } from '../../src/trust/repository/ceremony.ts'
import { leapVersions } from '../../src/trust/repository/leap.ts'
import { renewRepository, signAbove } from '../../src/trust/repository/repository.ts'
import { readProposal } from '../../src/trust/repository/proposals.ts'
import { readRepositoryFile } from '../../src/trust/repository/service.ts'
import { openTufSigners } from '../../src/trust/repository/signers.ts'
import { demandState, publish } from '../../src/trust/repository/state.ts'
import { openTrust, type Trust } from '../../src/trust/trust.ts'
import { serveTuf, tufClient, type ServedTuf, type TufClient } from './client.ts'
import { describeDatabases, type OpenedDatabase } from '../base/databases.ts'
import { dayMs, groundMigrations, makeGround, makeInstance, makeInstances, noonMs, type Ground } from './made.ts'

describeDatabases('trust', (openDatabase) => {
  let opened: OpenedDatabase
  let ground: Ground
  let trust: Trust
  let served: ServedTuf
  const clients: TufClient[] = []
  beforeEach(async () => {
    opened = await openDatabase(groundMigrations)
    ground = await makeGround(opened)
    trust = openTrust(ground)
    await trust.begin(await makeInstances())
    served = await serveTuf(ground)
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.remove()
    await served.stop()
    await ground.close()
  })

  const file = async (path: string): Promise<Uint8Array> => {
    const bytes = await readRepositoryFile(ground.database, path)
    expect(bytes).toBeDefined()
    return bytes as Uint8Array
  }
  async function newClient(root = '1.root.json'): Promise<TufClient> {
    const client = tufClient(served.url, await file(root))
    clients.push(client)
    return client
  }
  const version = async (role: string): Promise<number> => parseTufMetadata(await file(role)).version

  describe('the TUF repository', () => {
    it('gives a client trusted root, signing config and the older files from the first moment on', async () => {
      const found = await (await newClient()).update(noonMs)
      const root = parseTrustedRoot(found.get('trusted_root.json') ?? '')
      expect([root.logs.length, root.ctLogs.length, root.certificateAuthorities.length, root.timestampAuthorities.length]).toEqual([
        2, 1, 1, 1,
      ])
      const config = parseSigningConfig(found.get('signing_config.v0.2.json') ?? '')
      expect(config.logUrls.map(({ url, majorApiVersion }) => `${url} ${majorApiVersion}`)).toEqual([
        'http://127.0.0.1:8080/rekor2 2',
        'http://127.0.0.1:8080/rekor 1',
      ])
      expect(config.timestampUrls[0]?.url).toBe('http://127.0.0.1:8080/tsa/api/v1/timestamp')
      expect(found.get('rekor.pub')).toContain('BEGIN PUBLIC KEY')
    })

    it('is begun once: beginning again changes nothing', async () => {
      const before = await file('1.root.json')
      await trust.begin(await trust.instances())
      expect(await file('1.root.json')).toEqual(before)
      expect(await readRepositoryFile(ground.database, '2.targets.json')).toBeUndefined()
    })

    it.each(['2.root.json', '1.timestamp.json', 'root.json', '', 'targets/trusted_root.json', '..%2fdatabase.sqlite', '01.root.json'])(
      'answers %s, which is not there, with 404',
      async (path) => {
        const answer = await fetch(`${served.url}/${path}`)
        expect(answer.status).toBe(404)
      },
    )

    it('lets caches keep everything for ever but the timestamp', async () => {
      expect((await fetch(`${served.url}/1.root.json`)).headers.get('cache-control')).toContain('immutable')
      expect((await fetch(`${served.url}/timestamp.json`)).headers.get('cache-control')).toBe('no-cache')
    })

    it('renews itself for years without anybody, and clients follow', async () => {
      const client = await newClient()
      for (let day = 1; day <= 731; day += 5) {
        ground.nowMs = noonMs + day * dayMs
        await renewRepository(ground)
        if (day % 91 < 5) await client.update(ground.nowMs)
      }
      expect(client.rootVersion()).toBeGreaterThan(3)
      expect(await version('timestamp.json')).toBeGreaterThan(140)
      // A client that slept for years comes back.
      await (await newClient()).update(ground.nowMs)
    }, 60_000)

    it('signs only the timestamp every day, and nothing within a day', async () => {
      expect(await renewRepository(ground)).toEqual([])
      ground.nowMs += dayMs + 1
      expect(await renewRepository(ground)).toEqual(['timestamp'])
      ground.nowMs += 14 * dayMs
      expect(await renewRepository(ground)).toEqual(['snapshot', 'timestamp'])
    })

    it('after a backup was restored goes on under versions that nobody has seen, and clients of before follow', async () => {
      const client = await newClient()
      await client.update(noonMs)
      expect(await leapVersions(ground, 1000)).toEqual(['targets', 'snapshot', 'timestamp'])
      expect(await version('timestamp.json')).toBe(1001)
      await client.update(noonMs)
      const { published } = await demandState(ground.database)
      expect([published.targets, published.snapshot].map(({ metadata }) => metadata.version)).toEqual([1001, 1001])
    })

    it('is damaged where a row holds the metadata of another role', async () => {
      const { published } = await demandState(ground.database)
      await ground.database.raw.run("update trust_metadata set bytes = ? where role = 'snapshot'", [published.timestamp.bytes])
      await expect(demandState(ground.database)).rejects.toMatchObject({ code: 'trust_damaged' })
    })

    it('publishes no version but the next: clients would take a gap for a rollback of those between', async () => {
      const { root, published } = await demandState(ground.database)
      const signing = { root, signers: await openTufSigners(ground.keys), nowMs: noonMs }
      for (const [by, expected] of [
        [2, false],
        [0, false],
        [1, true],
      ] as const) {
        const metadata = await signAbove(signing, { version: 1, bytes: published.targets.bytes }, { snapshot: 1 + by, timestamp: 1 + by })
        expect(await publish(ground.database, { metadata, files: new Map() }, noonMs)).toBe(expected)
      }
    })

    it('renewed by several processes at once makes each version once', async () => {
      ground.nowMs += 2 * dayMs
      const other = { ...ground, database: await opened.another() }
      await Promise.all(Array.from({ length: 6 }, (_, i) => renewRepository(i % 2 === 0 ? ground : other)))
      expect(await version('timestamp.json')).toBe(2)
    })

    it('that was not renewed is refused by clients, and is good again after a renewal: freezing helps no attacker', async () => {
      const client = await newClient()
      ground.nowMs += 8 * dayMs
      await expect(client.update(ground.nowMs)).rejects.toThrow('expired')
      await renewRepository(ground)
      await client.update(ground.nowMs)
    })
  })

  describe('a rotation', () => {
    it.each(['ca', 'ct', 'rekor1', 'rekor2', 'tsa'] as const)(
      'of %s adds the next, ends the old, and old signatures stay valid',
      async (role) => {
        const client = await newClient()
        const before = parseTrustedRoot((await client.update(noonMs)).get('trusted_root.json') ?? '')
        ground.nowMs += 100 * dayMs
        await renewRepository(ground)
        const next = await makeInstance(role, 2, ground.nowMs)
        expect(await trust.inForce(next.id)).toBe(false)
        expect(await trust.rotate({ next, overlapMs: 60_000 })).toBe('published')
        expect(await trust.inForce(next.id)).toBe(true)
        const after = parseTrustedRoot((await client.update(ground.nowMs)).get('trusted_root.json') ?? '')
        const anchors = (root: typeof before) => [
          ...root.certificateAuthorities,
          ...root.logs,
          ...root.ctLogs,
          ...root.timestampAuthorities,
        ]
        expect(anchors(after)).toHaveLength(anchors(before).length + 1)
        const ended = anchors(after).filter(({ validFor }) => validFor.end !== undefined)
        expect(ended.map(({ validFor }) => validFor)).toEqual([{ start: noonMs, end: ground.nowMs + 60_000 }])
        for (const { validFor, ...same } of ended) expect(anchors(before)).toContainEqual({ ...same, validFor: { start: validFor.start } })
        const config = parseSigningConfig((await trust.target('signing_config.v0.2.json')) ?? '')
        for (const { validFor } of [...config.caUrls, ...config.logUrls, ...config.timestampUrls])
          expect(validFor).toEqual({ start: noonMs })
      },
    )

    it('of an instance that is closed never moves its end to later, nor before its start', async () => {
      const endOf = async (): Promise<number | undefined> => (await trust.instances()).find(({ id }) => id === 'rekor2-1')?.validFor.end
      for (const [endMs, expected] of [
        [noonMs + 5_000, noonMs + 5_000],
        [noonMs + 9_000, noonMs + 5_000],
        [noonMs - 9_000, noonMs],
      ] as const) {
        await trust.close('rekor2-1', endMs)
        expect(await endOf()).toBe(expected)
      }
    })

    it('ends nothing that there is not', async () => {
      await expect(trust.close('rekor2-9', noonMs)).rejects.toMatchObject({ code: 'trust_instance_missing' })
    })

    it('ends what it replaces alone: the same role at another address goes on', async () => {
      const elsewhere = { ...(await makeInstance('rekor2', 7)), url: 'https://second.example/rekor2' }
      await trust.add(elsewhere)
      await trust.rotate({ next: await makeInstance('rekor2', 2) })
      const open = (await trust.instances()).filter(({ role, validFor }) => role === 'rekor2' && validFor.end === undefined)
      expect(open.map(({ id }) => id).toSorted()).toEqual(['rekor2-2', 'rekor2-7'])
    })

    it('by each of two processes at once publishes both', async () => {
      const other = openTrust({ ...ground, database: await opened.another() })
      const [one, two] = [await makeInstance('rekor2', 2), await makeInstance('tsa', 2)]
      await Promise.all([trust.rotate({ next: one }), other.rotate({ next: two })])
      expect([await trust.inForce(one.id), await other.inForce(two.id)]).toEqual([true, true])
    })

    it('under a name that was there before is refused, and changes nothing', async () => {
      const next = await makeInstance('rekor2', 1)
      await expect(trust.rotate({ next })).rejects.toMatchObject({ code: 'trust_instance_exists' })
      expect((await trust.instances()).every(({ validFor }) => validFor.end === undefined)).toBe(true)
    })

    it('that was interrupted before it was published is published by the next renewal', async () => {
      const other = openTrust({ ...ground, keys: { ...ground.keys, names: async () => Promise.reject(new TypeError('killed')) } })
      const next = await makeInstance('tsa', 2)
      await expect(other.rotate({ next })).rejects.toThrow('killed')
      expect(await trust.inForce(next.id)).toBe(false)
      expect(await trust.publish()).toBe('published')
      expect(await trust.inForce(next.id)).toBe(true)
    })

    it.each([
      ['a log of Rekor v1 with Ed25519', async () => ({ ...(await makeInstance('rekor2', 2)), role: 'rekor1' as const })],
      ['an authority without its root', async () => cut(await makeInstance('ca', 2))],
      [
        'a timestamp authority without the certificate that stamps',
        async () => ({ ...(await makeInstance('ca', 2)), role: 'tsa' as const }),
      ],
      ['an address that is none', async () => ({ ...(await makeInstance('ct', 2)), url: 'javascript:alert(1)' })],
      ['a name that could be a path', async () => ({ ...(await makeInstance('ct', 2)), id: '../ct' })],
    ])('to %s is refused', async (_, make) => {
      const next = await make()
      await expect(trust.rotate({ next })).rejects.toMatchObject({ code: 'trust_instance_malformed' })
    })

    function cut(instance: Awaited<ReturnType<typeof makeInstance>>): typeof instance {
      return instance.anchor.kind === 'chain'
        ? { ...instance, anchor: { kind: 'chain', certificates: instance.anchor.certificates.slice(0, 1) } }
        : instance
    }
  })

  describe('a ceremony', () => {
    const offline = [memoryKey('alice'), memoryKey('bob'), memoryKey('carol')] as const
    const keys = offline.map(({ publicKey }) => publicKey)
    const sign = async (document: Uint8Array, ...who: readonly (typeof offline)[number][]): Promise<Uint8Array> => {
      let signed = document
      for (const key of who) signed = await signTufFile(signed, key, serverPrimitives)
      return signed
    }

    it('moves root and targets to offline keys, two of three, and clients of the first root follow', async () => {
      const client = await newClient()
      await client.update(noonMs)
      const proposed = await proposeRoot(ground, { root: { keys, threshold: 2 }, targets: { keys, threshold: 2 } })
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_threshold_missed' })
      await addSignatures(ground, await sign(proposed, offline[0]))
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_threshold_missed' })
      await addSignatures(ground, await sign(proposed, offline[1]))
      // The same targets must be signed by the keys that count from now on.
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_threshold_missed' })
      const targets = (await readProposal(ground.database, 'targets'))?.bytes as Uint8Array
      expect(await addSignatures(ground, await sign(targets, offline[0], offline[2]))).toEqual({ role: 'targets', signatures: 2 })
      expect(await publishProposals(ground)).toEqual(['root', 'targets', 'snapshot', 'timestamp'])
      await client.update(noonMs)
      expect(client.rootVersion()).toBe(2)
      await (await newClient('2.root.json')).update(noonMs)
      // The keys of the first start may go now.
      for (const name of ['tuf-root', 'tuf-targets']) await ground.keys.remove(name)
      ground.nowMs += 2 * dayMs
      expect(await renewRepository(ground)).toEqual(['timestamp'])
      expect(await trust.rotate({ next: await makeInstance('rekor2', 2, ground.nowMs), overlapMs: 30 * dayMs })).toBe('proposed')
      expect(await trust.inForce('rekor2-2')).toBe(false)
      expect(await trust.publish()).toBe('proposed')
      const rotated = (await readProposal(ground.database, 'targets'))?.bytes as Uint8Array
      await addSignatures(ground, await sign(rotated, offline[1], offline[2]))
      await publishProposals(ground)
      expect(await trust.inForce('rekor2-2')).toBe(true)
      await client.update(ground.nowMs)
    })

    it('replaces the keys that sign every day, which takes the old ones out of use at once', async () => {
      const client = await newClient()
      await client.update(noonMs)
      const fresh = await ground.keys.create('tuf-timestamp-2', 'ec-p256')
      await proposeRoot(ground, { timestamp: { keys: [fresh.publicKey], threshold: 1 } })
      expect(await publishProposals(ground)).toEqual(['root', 'snapshot', 'timestamp'])
      await client.update(noonMs)
      expect(client.rootVersion()).toBe(2)
    })

    it('attack: whoever would take over brings only their own keys: the root before must sign too', async () => {
      await addSignatures(ground, await sign(await proposeRoot(ground, { root: { keys, threshold: 2 } }), offline[0], offline[1]))
      await publishProposals(ground)
      await ground.keys.remove('tuf-root')
      const mallory = memoryKey('mallory')
      const proposed = await proposeRoot(ground, { root: { keys: [mallory.publicKey], threshold: 1 } })
      await addSignatures(ground, await sign(proposed, mallory))
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_threshold_missed' })
      await addSignatures(ground, await sign(proposed, offline[0]))
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_threshold_missed' })
      expect(await version('1.root.json')).toBe(1)
      await addSignatures(ground, await sign(proposed, offline[2]))
      expect(await publishProposals(ground)).toContain('root')
    })

    it('loses no signature of those that come back at once', async () => {
      const proposed = await proposeRoot(ground, { root: { keys, threshold: 2 } })
      const before = (await readProposal(ground.database, 'root'))?.metadata.signatures.length ?? 0
      const files = await Promise.all(offline.map((key) => sign(proposed, key)))
      const results = await Promise.allSettled(files.map((each) => addSignatures(ground, each)))
      const taken = results.filter(({ status }) => status === 'fulfilled').length
      expect((await readProposal(ground.database, 'root'))?.metadata.signatures).toHaveLength(before + taken)
      const refused = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as CountersignError).code] : []))
      expect(refused).toEqual(Array.from({ length: files.length - taken }, () => 'trust_changed_meanwhile'))
    })

    it('counts no signature of a stranger, none twice, and none over something else', async () => {
      const proposed = await proposeRoot(ground, { root: { keys, threshold: 2 } })
      await expect(addSignatures(ground, await sign(proposed, memoryKey('mallory')))).rejects.toMatchObject({ code: 'tuf_unsigned' })
      for (let i = 0; i < 2; i++) await addSignatures(ground, await sign(proposed, offline[0]))
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_threshold_missed' })
      const altered = Buffer.from(Buffer.from(proposed).toString().replace('"threshold": 2', '"threshold": 1'))
      await expect(addSignatures(ground, await sign(altered, offline[1]))).rejects.toMatchObject({ code: 'trust_changed_meanwhile' })
    })

    it('whose timestamp key is not here is refused: nobody could sign every day', async () => {
      const change = { timestamp: { keys, threshold: 1 } }
      await expect(proposeRoot(ground, change)).rejects.toMatchObject({ code: 'trust_threshold_missed' })
    })

    it('waits once, and can be withdrawn', async () => {
      await proposeRoot(ground, {})
      await expect(proposeRoot(ground, {})).rejects.toMatchObject({ code: 'trust_proposal_exists' })
      await withdrawProposal(ground, 'root')
      await expect(withdrawProposal(ground, 'root')).rejects.toMatchObject({ code: 'trust_proposal_missing' })
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_proposal_missing' })
    })

    it('on a root that was replaced meanwhile is refused', async () => {
      await proposeRoot(ground, {})
      ground.nowMs += 200 * dayMs
      expect(await renewRepository(ground)).toContain('root')
      await expect(publishProposals(ground)).rejects.toMatchObject({ code: 'trust_changed_meanwhile' })
    })
  })
})
