/** `--expires` and `--bind-name`: what a signature is bound to beyond the digest. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { parseTime } from '@countersign/core/trust/time-range'
import type { SignImageRequest } from '@countersign/sdk/sign/requests'
import type { Invocation } from '../command/invocation.ts'

/** What `--bind-name` without a value stands for, and how the same is written as one: each image is bound to its own name. */
const bareName = '*'
const ownName = 'own'

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** Reads both. Throws `usage` for a moment that is past or none, and for what is no name of a repository. */
export function termsFromFlags({ flags, subjects, terminal }: Invocation): NonNullable<SignImageRequest['terms']> {
  const expires = flags.text('expires')
  const name = flags.text('bind-name')
  if (name === bareName && subjects.length > 1 && flags.source('bind-name') === 'flag') throw nameApart(subjects)
  return {
    ...(expires === undefined ? {} : { expiresMs: expiryFrom('expires', expires, terminal.nowMs) }),
    ...(name === undefined ? {} : { name: name === bareName || name === ownName ? true : repositoryName(name) }),
  }
}

/** A span from now (`90s`, `15m`, `24h`, `30d`, `2w`) or a time, RFC 3339 or a day in UTC. Whole seconds, and not past. */
export function expiryFrom(flag: string, text: string, nowMs: number): number {
  const timeMs = momentFrom(flag, text, nowMs)
  if (timeMs > nowMs) return timeMs
  throw new CountersignError('usage', `--${flag} is past`, { found: text.slice(0, 40), hint: 'Name a time to come.' })
}

/** The same, past or to come; a span counts forwards. */
export function momentFrom(flag: string, text: string, nowMs: number): number {
  const span = /^([1-9][0-9]{0,6})([smhdw])$/.exec(text)
  const unit = unitMs[span?.[2] ?? '']
  const timeMs =
    span !== null && unit !== undefined
      ? nowMs + Number(span[1]) * unit
      : parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
  if (timeMs !== undefined && timeMs <= 8.64e15) return Math.ceil(timeMs / 1000) * 1000
  throw new CountersignError('usage', `--${flag} is neither a span of time nor a time`, {
    expected: 'as in 90d, 12h or 2027-01-31T00:00:00Z',
    found: JSON.stringify(text.slice(0, 40)),
  })
}

/** `--bind-name NAME IMAGE` looks as if it gave the name, and would sign NAME as a second image. */
function nameApart(subjects: readonly string[]): CountersignError {
  return new CountersignError('usage', '--bind-name takes its name after "=", and several images were named', {
    found: subjects.slice(0, 2).join(' ').slice(0, 200),
    hint: 'Write --bind-name=REGISTRY/REPOSITORY, or --bind-name=own to bind each image to its own name.',
  })
}

function repositoryName(text: string): string {
  const { place, tag, digest } = parseReference(text)
  if (place.kind === 'registry' && tag === 'latest' && digest === undefined && !text.endsWith(':latest'))
    return `${place.registry}/${place.repository}`
  throw new CountersignError('usage', '--bind-name names no repository', {
    expected: 'REGISTRY/REPOSITORY, without tag and digest',
    found: JSON.stringify(text.slice(0, 120)),
  })
}
