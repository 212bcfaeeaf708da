/** `countersign serve`. */
import { CountersignError } from '@countersign/core/failure'
import type { ServeRequest } from '@countersign/server/main/plan'
import type { Serving } from '@countersign/server/main/serve'
import type { Invocation } from '../command/invocation.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { onHangup, onInterruption } from '../terminal/interruption.ts'
import { standardStream } from '../terminal/streams.ts'
import { demandServices, servicesAccess } from './services-door.ts'

/** Serves until it is told to stop. */
export async function serve(invocation: Invocation): Promise<Conclusion> {
  const { flags, reportOnStdout, terminal } = invocation
  await demandServices()
  const request = requestOf(invocation)
  if (flags.boolean('check', false)) return check(request, invocation)
  const server = await import('@countersign/server/main/serve')
  const stopping = Promise.withResolvers<void>()
  // From here on: a first start that is interrupted goes on the next time.
  onInterruption(() => stopping.resolve())
  const serving = await server.serve(request)
  onHangup(() => void serving.reload())
  if (reportOnStdout) standardStream('stdout').write(`${JSON.stringify(readyLine(serving))}\n`)
  else terminal.out(await readyText(serving, terminal.outIsTerminal))
  await stopping.promise
  if (!(await serving.stop())) {
    throw new CountersignError('deadline_exceeded', 'not everything ended in time, and was cut off', {
      hint: 'Give more time with limits.drain in the configuration.',
    })
  }
  return { subjects: [{ subject: serving.data, ok: true }], reported: true }
}

function requestOf({ flags, terminal }: Invocation): ServeRequest {
  const text = (name: string, flag: string): object => (flags.text(flag) === undefined ? {} : { [name]: flags.text(flag) })
  const roles = flags.list('role')
  return {
    ...text('data', 'data'),
    ...text('config', 'config'),
    ...text('listen', 'listen'),
    ...text('publicUrl', 'public-url'),
    ...text('passphrase', 'passphrase'),
    ...(roles.length === 0 ? {} : { roles }),
    firstStart: !flags.boolean('no-create', false),
    access: servicesAccess(terminal),
    workingFolder: terminal.workingFolder,
    clock: Date.now,
    log: { write: terminal.err, isTerminal: terminal.errIsTerminal },
  }
}

async function check(request: ServeRequest, { terminal }: Invocation): Promise<Conclusion> {
  const { checkServing } = await import('@countersign/server/main/plan')
  const { data, state, listen, publicUrl, roles, passphrase, file, settings, warnings } = await checkServing(request)
  for (const warning of warnings) terminal.warn(warning)
  const content = {
    data,
    state,
    listen,
    roles,
    passphrase,
    warnings,
    settings: settings.map(({ path, value, place }) => ({ path, value, place })),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(file === undefined ? {} : { file }),
  }
  const states = {
    empty: 'would be made by the first start',
    begun: 'is there, its first start not complete: the next start goes on with it',
    complete: 'is there',
  }
  const rows = [
    ['configuration', file ?? 'none, the defaults hold'],
    ['data folder', `${data}: an installation ${states[state]}`],
    ['listen', listen],
    ['public URL', publicUrl ?? 'none yet'],
    ['services', roles.join(', ')],
    ['passphrase', passphrase],
  ]
  terminal.out(rows.map(([name = '', value = '']) => `${name.padEnd(14)} ${printable(value)}\n`).join(''))
  return { subjects: [{ subject: data, ok: true, content }] }
}

/** One line for programs. Never the login link: logs are read by more people than the terminal. */
function readyLine({ publicUrl, listening, data, firstStart, addresses }: Serving): object {
  return { ready: true, publicUrl, listening, data, firstStart, pid: process.pid, addresses }
}

async function readyText(serving: Serving, forPerson: boolean): Promise<string> {
  const { publicUrl, listening, data, firstStart, notices } = serving
  const lines = [
    `${firstStart ? 'Made a new installation' : 'Serving the installation'} in ${data}`,
    `Ready: ${publicUrl}${listening === publicUrl ? '' : ` (listening on ${listening})`}`,
    ...notices,
    ...(forPerson ? await serving.forTerminal() : []),
    ...serving.commands,
  ]
  return `${lines.map(printable).join('\n')}\n`
}
