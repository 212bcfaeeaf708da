import { createSocket, type Socket } from 'node:dgram'
import { CountersignError } from '@countersign/core/failure'
import { afterEach, describe, expect, it } from 'vitest'
import { createClockWatch, type ClockWatch, type TimeSource } from '../../src/tsa/clock/clock-watch.ts'
import { readAnswer, sntpSource } from '../../src/tsa/clock/sntp.ts'
import { agreeOnTime, majorityOf } from '../../src/tsa/clock/time-quorum.ts'

/** Two clocks that tests turn: `pass` is time itself, `set` is a hand on the wall clock. */
function clocks(): { wall: () => number; monotonic: () => number; pass: (ms: number) => void; set: (ms: number) => void } {
  let [wallMs, monotonicMs] = [Date.UTC(2026, 5, 1), 5_000]
  return {
    wall: () => wallMs,
    monotonic: () => monotonicMs,
    pass: (ms) => {
      wallMs += ms
      monotonicMs += ms
    },
    set: (ms) => {
      wallMs += ms
    },
  }
}

/** A source whose word the test changes; a silent one rejects. */
type Said = TimeSource & { offsetMs: number | undefined }
function source(name: string, offsetMs: number | undefined): Said {
  const said: Said = {
    name,
    offsetMs,
    ask: async () => {
      if (said.offsetMs === undefined) throw new CountersignError('clock_untrusted', 'silent')
      return { source: name, offsetMs: said.offsetMs, errorMs: 20 }
    },
  }
  return said
}

const minute = 60_000
const detailOf = (watch: ClockWatch): string | undefined => {
  const verdict = watch.check()
  return verdict.ok ? undefined : verdict.detail
}

describe('a clock without time sources', () => {
  it('is vouched for while it goes as the monotonic clock goes, for any time', async () => {
    const time = clocks()
    const watch = createClockWatch({ ...time, sources: [] })
    for (let day = 0; day < 100; day++) {
      time.pass(24 * 60 * minute)
      expect(watch.check()).toEqual({ ok: true, nowMs: time.wall() })
      await watch.poll()
    }
  })

  it('that jumps forward is not vouched for at the very next timestamp, nor after polls', async () => {
    const time = clocks()
    const watch = createClockWatch({ ...time, sources: [] })
    time.set(10_000)
    expect(detailOf(watch)).toContain('set forward by 10000 ms')
    await watch.poll()
    time.pass(60 * minute)
    await watch.poll()
    expect(detailOf(watch)).toContain('set forward')
  })

  it('that is set back is not vouched for, and is again when it is set right', () => {
    const time = clocks()
    const watch = createClockWatch({ ...time, sources: [] })
    time.set(-3_600_000)
    expect(detailOf(watch)).toContain('set back by 3600000 ms')
    time.set(3_600_000)
    expect(watch.check().ok).toBe(true)
  })

  it('that was set back while no process ran is not vouched for: something was signed here later', () => {
    const time = clocks()
    expect(detailOf(createClockWatch({ ...time, sources: [], notBeforeMs: time.wall() + minute }))).toContain('before what was signed')
    expect(createClockWatch({ ...time, sources: [], notBeforeMs: time.wall() - minute }).check().ok).toBe(true)
  })

  it('of a machine that slept is not vouched for until the operator confirms it', () => {
    const time = clocks()
    const watch = createClockWatch({ ...time, sources: [] })
    time.set(8 * 60 * minute)
    expect(watch.check().ok).toBe(false)
    watch.confirm()
    expect(watch.check().ok).toBe(true)
  })

  it('may be corrected in small steps that add up', async () => {
    const time = clocks()
    const watch = createClockWatch({ ...time, sources: [] })
    for (let i = 0; i < 50; i++) {
      time.pass(minute)
      time.set(100)
      expect(watch.check().ok).toBe(true)
      await watch.poll()
    }
  })
})

describe('a clock with time sources', () => {
  const watched = (...offsets: readonly (number | undefined)[]) => {
    const time = clocks()
    const sources = offsets.map((offset, i) => source(`ntp${i}`, offset))
    return { time, sources, watch: createClockWatch({ ...time, sources }) }
  }

  it('is not vouched for before they confirmed it', async () => {
    const { watch } = watched(0, 0, 0)
    expect(detailOf(watch)).toContain('not confirmed')
    await watch.poll()
    expect(watch.check().ok).toBe(true)
  })

  it('is not vouched for when they agree that it is off', async () => {
    const { watch, sources } = watched(0, 0, 0)
    await watch.poll()
    for (const said of sources) said.offsetMs = 900
    expect(await watch.poll()).toMatchObject({ offsetMs: 900 })
    expect(detailOf(watch)).toBe('the clock is 900 ms behind the time sources')
    for (const said of sources) said.offsetMs = -40
    await watch.poll()
    expect(watch.check().ok).toBe(true)
  })

  it('follows the majority: one source that lies is named and ignored', async () => {
    const { watch } = watched(5, -3, 86_400_000)
    expect(await watch.poll()).toMatchObject({ outliers: ['ntp2'] })
    expect(watch.check().ok).toBe(true)
  })

  it('is not vouched for when the sources disagree for too long', async () => {
    const { time, watch, sources } = watched(0, 0, 0)
    await watch.poll()
    const [first, second] = sources as [Said, Said]
    first.offsetMs = 5_000
    second.offsetMs = -5_000
    time.pass(14 * minute)
    await watch.poll()
    expect(watch.check().ok).toBe(true)
    time.pass(2 * minute)
    await watch.poll()
    expect(detailOf(watch)).toContain('no time sources agreed for 960 s')
  })

  it('is not vouched for when they cannot be reached for too long, and is again when they can', async () => {
    const { time, watch, sources } = watched(0, 0, 0)
    await watch.poll()
    for (const said of sources) said.offsetMs = undefined
    time.pass(16 * minute)
    expect(await watch.poll()).toMatchObject({ unreachable: ['ntp0', 'ntp1', 'ntp2'] })
    expect(watch.check().ok).toBe(false)
    for (const said of sources) said.offsetMs = 1
    await watch.poll()
    expect(watch.check().ok).toBe(true)
  })

  it('counts sources that do not answer as votes not given: one of three is no majority', async () => {
    const { watch } = watched(0, undefined, undefined)
    await watch.poll()
    expect(watch.check().ok).toBe(false)
  })

  it('that jumps between two polls is not vouched for in between, and the operator cannot overrule the sources', async () => {
    const { time, watch, sources } = watched(0, 0, 0)
    await watch.poll()
    time.set(-2_000)
    expect(detailOf(watch)).toContain('set back by 2000 ms')
    for (const said of sources) said.offsetMs = 2_000
    await watch.poll()
    watch.confirm()
    expect(watch.check().ok).toBe(false)
  })
})

describe('the agreement of time sources', () => {
  const sample = (name: string, offsetMs: number, errorMs = 10) => ({ source: name, offsetMs, errorMs })

  it('is decided by the narrowest interval: a source that claims a huge error moves nothing', () => {
    const said = agreeOnTime([sample('a', 0, 5), sample('b', 2, 5), sample('vague', 400, 10_000)], 2)
    expect(said).toMatchObject({ agreed: true, offsetMs: 1, outliers: [] })
  })

  it('needs more than half', () => {
    expect([1, 2, 3, 4, 5].map(majorityOf)).toEqual([1, 2, 2, 3, 3])
    expect(agreeOnTime([sample('a', 0), sample('b', 1000)], 2)).toEqual({ agreed: false, largest: 1 })
    expect(agreeOnTime([], 0)).toEqual({ agreed: false, largest: 0 })
  })
})

describe('SNTP', () => {
  const open: Socket[] = []
  afterEach(() => open.splice(0).forEach((socket) => socket.close()))

  /** A time server on loopback that is ahead by `aheadMs` and answers as `change` says. */
  async function server(
    aheadMs: number,
    change: (answer: Buffer) => Buffer | undefined = (answer) => answer,
    timeoutMs = 300,
  ): Promise<TimeSource> {
    const socket = createSocket('udp4')
    open.push(socket)
    socket.on('message', (query, from) => {
      const answer = Buffer.alloc(48)
      answer[0] = 0x24
      answer[1] = 2
      query.copy(answer, 24, 40, 48)
      for (const at of [32, 40]) writeTime(answer, at, Date.now() + aheadMs)
      const changed = change(answer)
      if (changed !== undefined) socket.send(changed, from.port, from.address)
    })
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    const { port } = socket.address()
    return sntpSource({ host: '127.0.0.1', port, timeoutMs, wall: Date.now, monotonic: () => performance.now() })
  }

  function writeTime(packet: Buffer, at: number, ms: number): void {
    const seconds = ms / 1000 + 2_208_988_800
    packet.writeUInt32BE(Math.floor(seconds) % 2 ** 32, at)
    packet.writeUInt32BE(Math.floor((seconds % 1) * 2 ** 32), at + 4)
  }

  it('measures how far the clock is behind a server', async () => {
    const { offsetMs, errorMs } = await (await server(5_000, undefined, 10_000)).ask()
    expect(Math.abs(offsetMs - 5_000)).toBeLessThan(errorMs + 5)
    expect(errorMs).toBeLessThan(5_000)
  })

  it.each([
    ['an answer to another question (a blind attacker)', (a: Buffer) => (a.fill(7, 24, 32), a)],
    ['a server that is not synchronized', (a: Buffer) => ((a[0] = 0xe4), a)],
    ['a kiss of death', (a: Buffer) => ((a[1] = 0), a)],
    ['an answer that is no answer', (a: Buffer) => ((a[0] = 0x23), a)],
    ['an answer that left before it arrived', (a: Buffer) => (a.fill(0, 40, 48), a)],
    ['a short packet', (a: Buffer) => a.subarray(0, 40)],
    ['silence', () => undefined],
  ])('does not count %s', async (_, change) => {
    await expect((await server(0, change)).ask()).rejects.toMatchObject({ code: 'clock_untrusted' })
  })

  it('reads the second era, which begins in 2036', () => {
    const packet = Buffer.alloc(48)
    packet[0] = 0x24
    packet[1] = 1
    const nowMs = Date.UTC(2040, 0, 1)
    for (const at of [32, 40]) writeTime(packet, at, nowMs + 100)
    expect(readAnswer('future', packet, nowMs, 10)).toMatchObject({ offsetMs: expect.closeTo(95, 3) as number })
  })
})
