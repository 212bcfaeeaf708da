/** Begins a first start in the folder `argv[2]` and dies by SIGKILL before the step `argv[3]`. */
import { serve } from '@countersign/server/main/serve'

const [, , data = '', step = ''] = process.argv
await serve({
  data,
  listen: '127.0.0.1:0',
  access: { environment: {} },
  workingFolder: data,
  clock: Date.now,
  log: { write: () => undefined, isTerminal: false },
  step: (name) => {
    if (name === step) process.kill(process.pid, 'SIGKILL')
  },
})
process.stdout.write('started\n')
process.exit(0)
