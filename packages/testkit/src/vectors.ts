/** Real data for tests, where this machine has it. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder `shared/vectors` beside the checkout; `undefined` where there is none, and then tests that need it skip and say so. */
export function vectorsFolder(): string | undefined {
  const folder = fileURLToPath(new URL('../../../../shared/vectors', import.meta.url))
  return existsSync(folder) ? folder : undefined
}
