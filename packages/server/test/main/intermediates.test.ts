import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { administer, type AdministerRequest, type OpenInstallation } from '@countersign/server/main/administer'
import { activateIntermediate, addIntermediate, listAuthorities } from '@countersign/server/main/intermediates'
import { requestFor, serveIn, testFolder } from './starting.ts'

const operator = { name: 'ada' }
const failsWith = (code: string): unknown => expect.objectContaining({ code })

function within<T>(data: string, work: (installation: OpenInstallation) => Promise<T>): Promise<T> {
  const { access, workingFolder, clock } = requestFor(data)
  const request: AdministerRequest = { data, access, workingFolder, clock, log: () => undefined }
  return administer(request, 'none', work)
}

describe('the rotation of an intermediate', () => {
  it('has clients trust the next before it issues, and ends the one before an hour later, beside a running server', async () => {
    const data = join(testFolder(), 'new')
    const { addresses } = await serveIn(data)
    const trusted = async (): Promise<readonly boolean[]> => {
      const root = parseTrustedRoot(new Uint8Array(await (await fetch(`${addresses['kit']}/trusted_root.json`)).arrayBuffer()))
      return root.certificateAuthorities.map(({ validFor }) => validFor.end === undefined)
    }
    const states = (): Promise<readonly string[]> =>
      within(data, async (installation) => (await listAuthorities(installation)).map(({ name, status }) => `${name} ${status}`))
    expect(await trusted()).toEqual([true])
    expect(await within(data, (installation) => addIntermediate(installation, operator))).toEqual({
      name: 'ca-intermediate-2',
      change: 'published',
    })
    expect(await states()).toEqual(['ca-root active', 'ca-intermediate-1 active', 'ca-intermediate-2 standby'])
    expect(await trusted()).toEqual([true, true])
    await within(data, (installation) => activateIntermediate(installation, 'ca-intermediate-2', operator))
    expect(await states()).toEqual(['ca-root active', 'ca-intermediate-1 retired', 'ca-intermediate-2 active'])
    expect(await trusted()).toEqual([false, true])
    expect((await fetch(addresses['readyz']!)).status).toBe(200)
  })

  it('activates nothing that is not on standby, and never one that is retired', async () => {
    const data = join(testFolder(), 'new')
    await serveIn(data)
    await within(data, (installation) => addIntermediate(installation, operator))
    await within(data, (installation) => activateIntermediate(installation, 'ca-intermediate-2', operator))
    for (const name of ['ca-intermediate-1', 'ca-intermediate-9', 'ca-root', ''])
      await expect(within(data, (installation) => activateIntermediate(installation, name, operator))).rejects.toThrow(
        failsWith('authority_missing'),
      )
  })

  it('needs the key of the root', async () => {
    const data = join(testFolder(), 'new')
    await serveIn(data)
    await within(data, ({ platform }) => platform.keys.remove('ca-root'))
    await expect(within(data, (installation) => addIntermediate(installation, operator))).rejects.toThrow(failsWith('key_missing'))
  })

  it('makes no installation where there is none', async () => {
    await expect(within(join(testFolder(), 'new'), listAuthorities)).rejects.toThrow(failsWith('data_folder_missing'))
  })
})
