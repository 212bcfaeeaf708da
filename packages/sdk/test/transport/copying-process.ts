/** Copies a layout into another, as a process that can be killed: `copying-process SOURCE DESTINATION`. Writes `done` when it is. */
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { copyImage } from '@countersign/sdk/transport/copy'
import { openDestination } from '@countersign/sdk/transport/destination'

const [from = '', to = ''] = process.argv.slice(2)
const run = createRegistryRun({ environment: {} })
const images = await run.open({ kind: 'layout', directory: from })
process.stdout.write('begun\n')
const place = to.endsWith('.tar') ? ({ kind: 'archive', file: to } as const) : ({ kind: 'layout', directory: to } as const)
const destination = await openDestination(run, place, true)
await copyImage({ images, signatures: images }, async () => destination.repository, { image: {}, tag: 'v1' })
await destination.finish()
process.stdout.write('done\n')
run.close()
