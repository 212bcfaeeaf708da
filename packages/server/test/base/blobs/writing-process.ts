/** Writes blobs to a folder until it is killed or the disk is full: `FOLDER`. Prints what was confirmed. */
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { fileBlobs } from '@countersign/server/base/blobs/file-blobs'

const blobs = await fileBlobs(process.argv[2] ?? '')
const start = Number(process.argv[3] ?? '0')

/** Half a megabyte that says all over which version it is. */
function bytesOf(version: number): Uint8Array {
  return utf8(
    String(version)
      .padStart(8, '0')
      .repeat(1 << 16),
  )
}

async function write(): Promise<void> {
  for (let version = start; ; version++) {
    await Promise.all([blobs.put('replaced', bytesOf(version)), blobs.create(`once/${version}`, utf8(String(version)))])
    console.log(version)
  }
}

await write().catch((thrown: unknown) => console.log(thrown instanceof CountersignError ? `${thrown.code} ${thrown.hint}` : String(thrown)))
