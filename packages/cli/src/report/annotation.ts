/** Messages that a CI system shows beside the line of a file that they are about. */
import { printable } from '../failure/message.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { SubjectReport } from './schema.ts'

/** Says it where GitHub Actions reads along (workflow commands `::warning` and `::error`); elsewhere it does nothing. */
export function annotate(
  { environment, err }: Pick<Terminal, 'environment' | 'err'>,
  level: 'warning' | 'error',
  message: string,
  location: SubjectReport['location'],
): void {
  if (environment['GITHUB_ACTIONS'] !== 'true') return
  const places = location === undefined || location.file === '-' ? [] : [`file=${property(location.file)}`]
  if (places.length > 0 && location?.line !== undefined) places.push(`line=${location.line}`)
  if (places.length > 0 && location?.column !== undefined) places.push(`col=${location.column}`)
  err(`::${level} ${[...places, 'title=countersign'].join(',')}::${data(message)}\n`)
}

/** Hostile: the message names what a file or registry says, and a line break in it would be another command. */
function data(text: string): string {
  return printable(text).replaceAll('%', '%25')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
