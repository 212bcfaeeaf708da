/** Serves the installation `argv[2]` by the configuration `argv[3]`, and prints where. */
import { serve } from '@countersign/server/main/serve'

const [, , data = '', config = ''] = process.argv
const log = { write: (line: string) => void process.stderr.write(`${line}\n`), isTerminal: false }
const serving = await serve({ data, config, listen: '127.0.0.1:0', access: { environment: {} }, workingFolder: data, clock: Date.now, log })
process.stdout.write(`${JSON.stringify({ listening: serving.listening, publicUrl: serving.publicUrl })}\n`)
process.once('SIGTERM', () => void serving.stop().then(() => process.exit(0)))
