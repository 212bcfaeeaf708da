/** Many signed images in one run, near and far: cosign verifies one after another, or is started for each. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { binary, expectExit, password } from '../test/interop/command.ts'
import { pushImage } from '../test/interop/images.ts'
import { peer } from '../test/interop/peers.ts'
import type { Ground, Group, Scale } from './contests.ts'
import { startDelayProxy } from './delay-proxy.ts'
import { costOf, medianCost, summary, type Command, type Cost, type Result } from './measure.ts'

/** So many of the images are signed by cosign, the others by us in the same layout. */
const signedByCosign = 5
/** So many starts of cosign are measured, and counted as one for each image. */
const startsMeasured = 10

/** How one side verifies images, and with which flags beside. */
type Verify = (side: 'ours' | 'theirs', images: readonly string[], ...flags: readonly string[]) => Command

/** Verifies `scale.images` different images on docker-registry. Runs of both sides take turns; cosign's over the slow network is measured once. */
export function manyImages(scale: Scale): Group {
  return {
    name: 'images',
    results: async (ground) => {
      const near = await signedImages(ground, scale.images)
      const proxy = await startDelayProxy(ground.registries.docker, scale.delayMs)
      try {
        const far = near.map((image) => image.replace(ground.registries.docker, proxy.host))
        return [...(await onLoopback(ground, near)), ...(await overNetwork(ground, far, scale))]
      } finally {
        await proxy.close()
      }
    },
  }
}

async function signedImages({ world, registries, key }: Ground, count: number): Promise<readonly string[]> {
  const images: string[] = []
  for (let index = 0; index < count; index++) {
    const repository = `bench/image-${index}`
    images.push(`${registries.docker}/${repository}@${await pushImage(registries.docker, repository, 'v1', `image ${index}`)}`)
  }
  const sign = ['sign', '--key', key, ...world.noServices]
  for (const image of images.slice(0, signedByCosign)) expectExit(await world.tool('cosign', [...sign, image]), 0, 'cosign sign')
  expectExit(await world.tool('ours', [...sign, ...images.slice(signedByCosign)]), 0, 'sign')
  return images
}

function verifier({ world, publicKey }: Ground): Verify {
  const env = { ...world.env, COSIGN_PASSWORD: password }
  return (side, images, ...flags) => {
    const args = ['verify', '--key', publicKey, '--insecure-ignore-tlog', ...flags, ...images]
    return side === 'ours' ? { file: process.execPath, args: [binary, ...args], env } : { file: peer('cosign'), args, env }
  }
}

/** A cache that no run has seen: what a first run costs, writing it included. */
function newCache({ world }: Ground): readonly string[] {
  return ['--cache-dir', join(mkdtempSync(join(world.folder, 'cache-')), 'objects')]
}

async function onLoopback(ground: Ground, images: readonly string[]): Promise<readonly Result[]> {
  const verify = verifier(ground)
  const [ours, theirs]: [Cost[], Cost[]] = [[], []]
  for (let round = -1; round < 5; round++) {
    const mine = await costOf(verify('ours', images, ...newCache(ground)))
    const other = await costOf(verify('theirs', images))
    if (round < 0) continue
    ours.push(mine)
    theirs.push(other)
  }
  const name = `verify ${images.length} images, one run each, loopback`
  return [summary({ name, runs: ours.length, wallTarget: 0.9 }, medianCost(ours), medianCost(theirs))]
}

async function overNetwork(ground: Ground, images: readonly string[], scale: Scale): Promise<readonly Result[]> {
  const verify = verifier(ground)
  const starts: Cost[] = []
  const step = Math.max(1, Math.floor(images.length / startsMeasured))
  for (const image of images.filter((_, index) => index % step === 0).slice(0, startsMeasured))
    starts.push(await costOf(verify('theirs', [image])))
  const oneStart = medianCost(starts)
  const [first, second]: [Cost[], Cost[]] = [[], []]
  for (let round = 0; round < 3; round++) {
    const cache = newCache(ground)
    first.push(await costOf(verify('ours', images, ...cache)))
    second.push(await costOf(verify('ours', images, ...cache)))
  }
  const whole = await costOf(verify('theirs', images))
  const each = { ...oneStart, wallMs: oneStart.wallMs * images.length }
  const name = `verify ${images.length} images, ${scale.delayMs} ms a request`
  const runs = first.length
  return [
    summary(
      { name: `${name}: one run / ${images.length} starts of cosign (${starts.length} measured)`, runs, wallTarget: 0.05 },
      medianCost(first),
      each,
    ),
    summary({ name: `${name}: one run / one run of cosign`, runs, wallTarget: 0.08 }, medianCost(first), whole),
    summary({ name: `${name}: second run with the cache / one run of cosign`, runs, wallTarget: 0.03 }, medianCost(second), whole),
  ]
}
