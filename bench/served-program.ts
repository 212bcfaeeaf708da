/**
 * The server of the whole platform, as the command line starts it, that kills itself at a durable step: what the fault rounds start. Which step,
 * and at which pass of it, comes in the environment (`FATAL_STEP`, `FATAL_PASS`: also while it recovers) or later as a message of its parent.
 */
import { parseArgs } from 'node:util'
import { serve } from '@countersign/server/main/serve'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    listen: { type: 'string', default: '' },
    'public-url': { type: 'string', default: '' },
    config: { type: 'string', default: '' },
  },
})

/** Where to die; a step of a blob is named by the beginning of its name. */
export type Fatal = { readonly step: string; readonly pass: number }

let fatal: Fatal | undefined = readFatal()
let passed = 0
process.on('message', (message) => {
  fatal = message as Fatal
  passed = 0
})
const serving = await serve({
  data: values.data,
  listen: values.listen,
  publicUrl: values['public-url'],
  config: values.config,
  access: { environment: process.env },
  workingFolder: process.cwd(),
  clock: Date.now,
  log: { write: (line) => process.stderr.write(line), isTerminal: false },
  step: (name) => {
    if (fatal === undefined || !name.startsWith(fatal.step) || ++passed < fatal.pass) return
    process.kill(process.pid, 'SIGKILL')
  },
})
process.once('SIGTERM', () => void serving.stop().then(() => process.exit(0)))
process.stdout.write(`${JSON.stringify({ ready: true, listening: serving.listening })}\n`)

function readFatal(): Fatal | undefined {
  const { FATAL_STEP: step = '', FATAL_PASS: pass = '1' } = process.env
  return step === '' ? undefined : { step, pass: Number(pass) }
}
