/** `push-image HOST/REPOSITORY:TAG [TEXT]`: pushes a small image to a registry on loopback and prints its digest. With `index` before: an index of two images. */
import { CountersignError } from '@countersign/core/failure'
import { type ImageReference, parseReference } from '@countersign/core/oci/reference'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { pushImage, pushIndex } from '@countersign/testkit/image-fixture'

const args = process.argv.slice(2)
const several = args[0] === 'index'
const [name = '', text = name] = several ? args.slice(1) : args
const image: ImageReference = parseReference(name)
if (image.place.kind !== 'registry' || image.tag === undefined) throw new CountersignError('usage', 'push-image needs HOST/REPOSITORY:TAG')
const run = createRegistryRun({ environment: {} })
const repository = await run.open(image.place)
const pushed = several
  ? await pushIndex(repository, [await pushImage(repository, `${text} amd64`), await pushImage(repository, `${text} arm64`)], image.tag)
  : await pushImage(repository, text, image.tag)
run.close()
process.stdout.write(`${pushed.digest}\n`)
