/** What is measured, against which targets. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { binary, expectExit, password } from '../test/interop/command.ts'
import { pushImage } from '../test/interop/images.ts'
import { peer } from '../test/interop/peers.ts'
import type { Registries } from '../test/interop/registries.ts'
import type { World } from '../test/interop/world.ts'
import { startDelayProxy } from './delay-proxy.ts'
import { singleFile } from './binary.ts'
import { manyImages } from './images.ts'
import type { Command, Contest, Result } from './measure.ts'
import type { Rate } from './rates.ts'

/** What the contests stand on. */
export type Ground = { readonly world: World; readonly registries: Registries; readonly key: string; readonly publicKey: string }

/** A named group: contests, prepared only when they are wanted and put away afterwards; or what is measured in its own way. */
export type Group =
  | {
      readonly name: string
      readonly prepare: (ground: Ground) => Promise<{ contests: readonly Contest[]; close?: () => Promise<void> }>
    }
  | { readonly name: string; readonly results: (ground: Ground) => Promise<readonly Result[]> }
  | { readonly name: string; readonly rates: () => Promise<readonly Rate[]> }

/** How large the file is, in MiB, and how long a request takes, in milliseconds. */
export type Scale = {
  readonly mebibytes: number
  readonly delayMs: number
  readonly signatures: number
  readonly runs: number
  readonly images: number
}

/** All groups. */
export function groups(scale: Scale): readonly Group[] {
  return [files(scale), loopback(scale), overNetwork(scale), manySignatures(scale), singleFile(scale), manyImages(scale), verdicts, bundles]
}

const verdicts: Group = { name: 'verdicts', rates: async () => (await import('./verdicts.ts')).verdictRates() }
const bundles: Group = { name: 'bundles', rates: async () => (await import('./bundles.ts')).bundleRates() }

function pair(
  ground: Ground,
  args: (side: 'ours' | 'theirs', run: number) => readonly string[] | Promise<readonly string[]>,
): Pick<Contest, 'ours' | 'theirs'> {
  // What a run costs that finds nothing of an earlier one; `images` measures what the cache saves.
  const env = { ...ground.world.env, COSIGN_PASSWORD: password, COUNTERSIGN_NO_CACHE: 'true' }
  return {
    ours: async (run): Promise<Command> => ({ file: process.execPath, args: [binary, ...(await args('ours', run))], env }),
    theirs: async (run): Promise<Command> => ({ file: peer('cosign'), args: await args('theirs', run), env }),
  }
}

function files(scale: Scale): Group {
  return {
    name: 'files',
    prepare: async (ground) => {
      const file = join(ground.world.folder, 'large')
      writeLargeFile(file, scale.mebibytes)
      const bundle = (side: string) => join(ground.world.folder, `large.${side}.json`)
      const sign = (side: string) => ['sign-blob', '--key', ground.key, ...ground.world.noServices, '--bundle', bundle(side), file]
      for (const [tool, side] of [
        ['ours', 'ours'],
        ['cosign', 'theirs'],
      ] as const)
        expectExit(await ground.world.tool(tool, sign(side)), 0, `${tool} sign-blob`)
      const size = scale.mebibytes === 1024 ? '1 GiB' : `${scale.mebibytes} MiB`
      return {
        contests: [
          { name: `sign-blob ${size}`, runs: Math.min(5, scale.runs), ...pair(ground, sign), wallTarget: 0.3, memoryTarget: 0.075 },
          {
            name: `verify-blob ${size}`,
            runs: Math.min(5, scale.runs),
            ...pair(ground, (side) => ['verify-blob', '--key', ground.publicKey, '--insecure-ignore-tlog', '--bundle', bundle(side), file]),
            wallTarget: 0.55,
            memoryTarget: 0.13,
          },
        ],
      }
    },
  }
}

function loopback(scale: Scale): Group {
  return {
    name: 'loopback',
    prepare: async (ground) => {
      const host = ground.registries.docker
      const image = async (label: string) => `${host}/bench/${label}@${await pushImage(host, `bench/${label}`, 'v1', label)}`
      const signed = await image('verified')
      expectExit(await ground.world.tool('cosign', ['sign', '--key', ground.key, ...ground.world.noServices, signed]), 0, 'cosign sign')
      return {
        contests: [
          {
            name: 'sign, new image, key of cosign (scrypt N=65536)',
            runs: scale.runs,
            ...pair(ground, async (side, run) => [
              'sign',
              '--key',
              ground.key,
              ...ground.world.noServices,
              await image(`signed-${side}-${run + 1}`),
            ]),
            wallTarget: 1,
          },
          {
            name: 'verify, one signature, loopback',
            runs: 2 * scale.runs,
            ...pair(ground, () => ['verify', '--key', ground.publicKey, '--insecure-ignore-tlog', signed]),
            wallTarget: 2.2,
          },
        ],
      }
    },
  }
}

function overNetwork(scale: Scale): Group {
  return {
    name: 'network',
    prepare: async (ground) => {
      const proxy = await startDelayProxy(ground.registries.docker, scale.delayMs)
      const near = `${ground.registries.docker}/bench/far`
      const digest = await pushImage(ground.registries.docker, 'bench/far', 'v1', 'far')
      expectExit(
        await ground.world.tool('cosign', ['sign', '--key', ground.key, ...ground.world.noServices, `${near}@${digest}`]),
        0,
        'cosign sign',
      )
      const verify = (reference: string) =>
        pair(ground, () => ['verify', '--key', ground.publicKey, '--insecure-ignore-tlog', `${proxy.host}/bench/far${reference}`])
      const name = `verify, one signature, ${scale.delayMs} ms a request`
      return {
        contests: [
          { name: `${name}, by digest`, runs: scale.runs, ...verify(`@${digest}`), wallTarget: 0.65 },
          { name: `${name}, by tag`, runs: scale.runs, ...verify(':v1'), wallTarget: 0.75 },
        ],
        close: proxy.close,
      }
    },
  }
}

function manySignatures(scale: Scale): Group {
  return {
    name: 'many',
    prepare: async (ground) => {
      const proxy = await startDelayProxy(ground.registries.docker, scale.delayMs)
      const digest = await pushImage(ground.registries.docker, 'bench/many', 'v1', 'many')
      const image = `bench/many@${digest}`
      for (let index = 0; index < scale.signatures; index++) {
        const sign = ['sign', '--key', ground.key, ...ground.world.noServices, '-a', `n=${index}`, `${ground.registries.docker}/${image}`]
        expectExit(await ground.world.tool('ours', sign), 0, 'sign')
      }
      return {
        contests: [
          {
            name: `verify, ${scale.signatures} signatures, ${scale.delayMs} ms a request`,
            runs: Math.min(3, scale.runs),
            ...pair(ground, () => ['verify', '--key', ground.publicKey, '--insecure-ignore-tlog', `${proxy.host}/${image}`]),
            wallTarget: 0.1,
          },
        ],
        close: proxy.close,
      }
    },
  }
}

/** Real bytes, not a hole: reading them costs both sides the same. */
function writeLargeFile(path: string, mebibytes: number): void {
  const block = new Uint8Array(1 << 20)
  const file = openSync(path, 'w')
  for (let index = 0; index < mebibytes; index++) {
    block.fill(index & 0xff)
    writeSync(file, block)
  }
  closeSync(file)
}
