/** `countersign login` and `countersign logout`. */
import { CountersignError } from '@countersign/core/failure'
import { eraseCredentials, storeCredentials } from '@countersign/sdk/credentials/store'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { readInput } from '../terminal/input.ts'
import { askPassword } from '../terminal/prompt.ts'

const maxPasswordBytes = 65_536

/** Stores credentials where Docker keeps them. */
export async function login(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const registry = registryNamed(subjects[0] ?? '')
  const username = flags.required('username', 'Give --username NAME.')
  const password = await passwordFor(invocation, registry)
  const { storedIn } = await storeCredentials({ registry, username, password, environment: terminal.environment })
  terminal.err(`Credentials for ${registry} stored in ${storedIn}; they are tried when they are first used\n`)
  return { subjects: [{ subject: registry, ok: true, files: [storedIn] }] }
}

/** A host, its port, perhaps a namespace. What Docker also takes, a URL of the API, is the host in it. */
function registryNamed(typed: string): string {
  const name = typed.replace(/^https?:\/\//, '').replace(/\/(?:v[12]\/?)?$/, '')
  if (/^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}))(?::[0-9]{1,5})?(?:\/[a-z0-9._/-]{1,255})?$/.test(name)) return name
  throw new CountersignError('usage', 'this is no registry', {
    expected: 'a host, and a port where it needs one',
    found: JSON.stringify(typed.slice(0, 100)),
    hint: 'For example: countersign login registry.example:5000 -u robot',
  })
}

async function passwordFor({ flags, terminal }: Invocation, registry: string): Promise<string> {
  const typed = flags.text('password')
  if (flags.boolean('password-stdin', false)) {
    if (typed !== undefined)
      throw new CountersignError('usage', '--password and --password-stdin contradict each other', { hint: 'Use --password-stdin.' })
    return Buffer.from(await readInput('-', maxPasswordBytes))
      .toString('utf8')
      .replace(/\r?\n$/, '')
  }
  if (typed !== undefined) {
    terminal.warn('WARNING: a password on the command line can be read by others on this machine; prefer --password-stdin.')
    return typed
  }
  if (terminal.inIsTerminal) return askPassword(`Password for ${registry}`, false)
  throw new CountersignError('usage', 'there is no password', {
    hint: 'Pipe it in with --password-stdin, or run on a terminal to be asked.',
  })
}

/** Erases them again. */
export async function logout({ subjects, terminal }: Invocation): Promise<Conclusion> {
  const registry = registryNamed(subjects[0] ?? '')
  const erased = await eraseCredentials({ registry, environment: terminal.environment })
  terminal.err(erased ? `Logged out of ${registry}\n` : `There were no credentials for ${registry}\n`)
  return { subjects: [{ subject: registry, ok: true }] }
}
