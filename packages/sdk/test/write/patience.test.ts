import { CountersignError, type FailureCode } from '@countersign/core/failure'
import { patiently } from '@countersign/sdk/write/patience'
import { describe, expect, it } from 'vitest'

/** How often a step is tried that fails so many times. */
async function attempts(
  failures: number,
  failure: unknown,
): Promise<{ readonly tried: number; readonly ended: unknown; readonly paused: readonly number[] }> {
  let tried = 0
  const paused: number[] = []
  const step = (): Promise<string> => (++tried > failures ? Promise.resolve('done') : Promise.reject(failure))
  const pause = (round: number): Promise<void> => Promise.resolve(void paused.push(round))
  const ended = await patiently(step, pause).catch((cause: unknown) => cause)
  return { tried, ended, paused }
}

describe('patience', () => {
  it.each<FailureCode>(['registry_failed', 'registry_response_malformed', 'write_rejected', 'content_altered'])(
    'repeats a step that ends with %s, which may be the doing of another writer, seven times at most',
    async (code) => {
      const failure = new CountersignError(code, 'busy')
      expect(await attempts(3, failure)).toStrictEqual({ tried: 4, ended: 'done', paused: [1, 2, 3] })
      expect(await attempts(99, failure)).toMatchObject({ tried: 7, ended: failure })
    },
  )

  it.each([
    new CountersignError('registry_unauthorized', 'no'),
    new CountersignError('deadline_exceeded', 'late'),
    new TypeError('a defect'),
  ])('reports at once what no repetition mends: %s', async (failure) => {
    expect(await attempts(99, failure)).toStrictEqual({ tried: 1, ended: failure, paused: [] })
  })
})
