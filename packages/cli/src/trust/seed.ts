/** The built-in trusted root of the public-good Sigstore instance: for keyless verification where nothing else was named. */
import { demandFreshSeed, readPublicGoodSeed } from '@countersign/sdk/trust/public-good-seed'
import type { SelectedTrust } from './select.ts'

/** The seed, unless it is too old. Throws `trust_stale`. */
export async function seedTrust(nowMs: number): Promise<SelectedTrust> {
  const seed = await readPublicGoodSeed()
  demandFreshSeed(seed, nowMs)
  const date = `version ${seed.version}, good until ${new Date(seed.expiresMs).toISOString().slice(0, 10)}`
  return {
    root: seed.trustedRoot,
    named: false,
    report: { source: 'built-in trusted root', name: 'of the public-good Sigstore instance', date },
    expiries: [
      {
        what: 'the built-in trusted root of the public-good Sigstore instance',
        endsMs: seed.expiresMs,
        next: 'Update countersign, or run "countersign initialize".',
      },
    ],
  }
}

/** The seed by its name on the command line, however old: naming it is the choice. */
export async function namedSeedTrust(nowMs: number): Promise<SelectedTrust> {
  const seed = await readPublicGoodSeed()
  const stale = nowMs > seed.expiresMs ? ', stale' : ''
  const date = `version ${seed.version}, good until ${new Date(seed.expiresMs).toISOString().slice(0, 10)}${stale}`
  return { root: seed.trustedRoot, named: true, report: { source: 'flag', name: 'public-good', date } }
}
