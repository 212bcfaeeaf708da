/** `WWW-Authenticate` (RFC 9110 §11.6.1) as registries use it: Bearer with realm, service and scope, or Basic. Strict and bounded. */

/** What a registry demands. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service?: string; readonly scope?: string }

const maxLength = 8192
const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const quoted = /"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*)"/y
const separator = /[ \t]*(?:,[ \t]*)*/y

/**
 * The challenge to answer: Bearer before Basic. `undefined` when none of the fields holds a well-formed challenge of either scheme;
 * one that is malformed or longer than 8 kB counts as absent.
 */
export function parseChallenge(fields: readonly string[]): Challenge | undefined {
  const found = fields.flatMap((field) => (field.length > maxLength ? [] : readField(field)))
  return found.find(({ scheme }) => scheme === 'bearer') ?? found[0]
}

function readField(field: string): readonly Challenge[] {
  const challenges: Challenge[] = []
  let position = 0
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position
    const match = pattern.exec(field)
    if (match === null) return undefined
    position = pattern.lastIndex
    return match
  }
  take(separator)
  while (position < field.length) {
    const scheme = take(token)?.[0].toLowerCase()
    if (scheme === undefined) return []
    const parameters = readParameters(
      field,
      take,
      () => position,
      (to) => (position = to),
    )
    if (parameters === undefined) return []
    const challenge = toChallenge(scheme, parameters)
    if (challenge !== undefined) challenges.push(challenge)
  }
  return challenges
}

/** `name=value` pairs up to the next scheme; `undefined` when malformed, or when a name occurs twice. */
function readParameters(
  field: string,
  take: (pattern: RegExp) => RegExpExecArray | undefined,
  at: () => number,
  back: (position: number) => void,
): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>()
  for (;;) {
    take(separator)
    const start = at()
    const name = take(token)?.[0].toLowerCase()
    if (name === undefined) return start === field.length ? parameters : undefined
    if (field[at()] !== '=') {
      back(start)
      return parameters
    }
    back(at() + 1)
    const text = take(quoted)?.[1]?.replace(/\\(.)/g, '$1') ?? take(token)?.[0]
    if (text === undefined || parameters.has(name)) return undefined
    parameters.set(name, text)
  }
}

function toChallenge(scheme: string, parameters: ReadonlyMap<string, string>): Challenge | undefined {
  if (scheme === 'basic') return { scheme }
  const realm = parameters.get('realm')
  if (scheme !== 'bearer' || realm === undefined) return undefined
  const service = parameters.get('service')
  const scope = parameters.get('scope')
  return { scheme, realm, ...(service === undefined ? {} : { service }), ...(scope === undefined ? {} : { scope }) }
}
