/** `countersign log search`. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { JsonObject } from '@countersign/core/json/parse'
import { parseLogSearch, type LoggedHit } from '@countersign/core/rekor/search-answer'
import { openClient } from '@countersign/sdk/open-client'
import { askService, refusedBy } from '@countersign/sdk/services/exchange'
import { serviceUrl } from '@countersign/sdk/services/service-url'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags } from '../connection.ts'
import { failureMessage, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { withInstallation } from './installation.ts'

type Answer = { readonly entries: readonly LoggedHit[]; readonly complete: boolean }

const maxPemBytes = 8192

/** Finds entries of all logs. */
export async function logSearch(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const query = await queryFrom(invocation)
  const url = flags.text('url')
  if (url !== undefined && flags.source('data') === 'flag')
    throw new CountersignError('usage', '--url and --data name two places', { hint: 'Give one of them.' })
  const { entries, complete } = url === undefined ? await inFolder(invocation, query) : await atServices(invocation, url, query)
  for (const entry of entries) terminal.out(lineOf(entry))
  if (!complete) terminal.warn('there are more than a hundred; say more of what is looked for')
  const content: JsonObject = { entries: entries.map((entry) => ({ ...entry })), complete }
  if (entries.length > 0) return { subjects: [{ subject: 'logs', ok: true, content }], fields: content }
  const failure = failureText(
    new CountersignError('artifact_not_found', 'no entry of any log has all of this', {
      hint: 'A digest is that of the bytes that were signed; names count whole.',
    }),
  )
  terminal.err(failureMessage(failure))
  return { subjects: [{ subject: 'logs', ok: false, content, failure: failureReport(failure) }], fields: content }
}

async function queryFrom({ flags, terminal }: Invocation): Promise<Readonly<Record<string, string>>> {
  const query: Record<string, string> = {}
  for (const name of ['digest', 'identity', 'email']) {
    const value = flags.text(name)
    if (value !== undefined) query[name] = value
  }
  const key = flags.text('key')
  if (key !== undefined) {
    query['key'] = /^[0-9a-fA-F]{64}$/.test(key) ? key : fromUtf8(await readFile(resolve(terminal.workingFolder, key)))
    if (query['key'].length > maxPemBytes)
      throw new CountersignError('file_malformed', `${printable(key)} is no public key`, { expected: 'a public key or certificate, PEM' })
  }
  if (Object.keys(query).length > 0) return query
  throw new CountersignError('usage', 'it is not said what to look for', { hint: 'Give --digest, --key, --identity or --email.' })
}

function inFolder(invocation: Invocation, query: Readonly<Record<string, string>>): Promise<Answer> {
  return withInstallation(invocation, 'none', async (installation) =>
    (await import('@countersign/server/main/log-search')).searchLogs(installation, query),
  )
}

async function atServices(invocation: Invocation, base: string, query: Readonly<Record<string, string>>): Promise<Answer> {
  const client = await openClient(connectionFromFlags(invocation))
  try {
    const url = serviceUrl(base, 'rekor2/search')
    url.search = new URLSearchParams(query).toString()
    const request = { service: 'the log', method: 'GET', url, repeatable: true } as const
    const answer = await askService(client, request)
    if (answer.status === 400) throw new CountersignError('usage', refusedBy(request, answer).message)
    if (answer.status !== 200) throw refusedBy(request, answer)
    return parseLogSearch(answer.body)
  } finally {
    client.close()
  }
}

function lineOf({ log, index, uuid, kind, integratedAt, identity, key }: LoggedHit): string {
  const who = identity.length > 0 ? identity.join(', ') : key.map((each) => `key ${each}`).join(', ')
  const where = uuid === undefined ? '' : `  ${uuid}`
  return `${printable(`${integratedAt}  ${log} ${index}  ${kind}  ${who}${where}`)}\n`
}
