/** The single-file executable of `npm run build:binary` against cosign: one short command is mostly the start of a program. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { expectExit, password } from '../test/interop/command.ts'
import { pushImage } from '../test/interop/images.ts'
import { peer } from '../test/interop/peers.ts'
import type { Group, Scale } from './contests.ts'
import type { Command, Contest } from './measure.ts'

const executable = resolve(import.meta.dirname, '../dist/countersign')

/** `verify` on loopback, and the start alone. Without the executable there is nothing to measure, and a line says so. */
export function singleFile(scale: Scale): Group {
  return {
    name: 'binary',
    prepare: async ({ world, registries, key, publicKey }) => {
      if (!existsSync(executable)) {
        process.stderr.write('skipped: dist/countersign is not built; npm run build:binary makes it\n')
        return { contests: [] }
      }
      const digest = await pushImage(registries.docker, 'bench/binary', 'v1', 'binary')
      const image = `${registries.docker}/bench/binary@${digest}`
      expectExit(await world.tool('cosign', ['sign', '--key', key, ...world.noServices, image]), 0, 'cosign sign')
      const env = { ...world.env, COSIGN_PASSWORD: password }
      const both = (args: readonly string[]): Pick<Contest, 'ours' | 'theirs'> => ({
        ours: (): Command => ({ file: executable, args, env }),
        theirs: (): Command => ({ file: peer('cosign'), args, env }),
      })
      return {
        contests: [
          {
            name: 'executable: verify, one signature, loopback',
            runs: 2 * scale.runs,
            ...both(['verify', '--key', publicKey, '--insecure-ignore-tlog', image]),
            wallTarget: 1.8,
          },
          { name: 'executable: version', runs: 2 * scale.runs, ...both(['version']) },
        ],
      }
    },
  }
}
