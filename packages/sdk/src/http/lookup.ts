/** Name lookups that keep a server from pointing us into a network that it must not reach. */
import type { LookupFunction } from 'node:net'
import { CountersignError } from '@countersign/core/failure'
import { classifyAddress, literalClass, mayReach, type AddressClass } from './address.ts'
import type { HttpRequest } from './message.ts'

function refuse(host: string, from: AddressClass): CountersignError {
  return new CountersignError(
    'registry_response_malformed',
    `the registry points at ${host}, which is inside a network that it must not reach`,
    {
      expected: from === 'public' ? 'a public address' : `a public or ${from} address`,
      hint: 'Name the host yourself if it is meant.',
    },
  )
}

/** Throws `registry_response_malformed` for a request to a literal address that is out of its reach. */
export function guardLiteral(request: HttpRequest): void {
  if (request.reach === undefined) return
  const found = literalClass(request.url.hostname)
  if (found !== undefined && !mayReach(request.reach, found)) throw refuse(request.url.host, request.reach)
}

/** Resolves a name and refuses it when any of its addresses is out of reach, so that DNS cannot smuggle one in after the check. */
export function guardedLookup(reach: AddressClass): LookupFunction {
  return checkedLookup((hostname, found) => {
    if (found.length === 0 || !found.every((each) => mayReach(reach, each))) throw refuse(hostname, reach)
  })
}

/** Resolves a name as ever and tells the class of its addresses; of several classes, the one that may name least. */
export function notingLookup(note: (found: AddressClass) => void): LookupFunction {
  return checkedLookup((_hostname, [first, ...others]) => {
    note(first === undefined || others.some((other) => other !== first) ? 'public' : first)
  })
}

function checkedLookup(check: (hostname: string, found: readonly AddressClass[]) => void): LookupFunction {
  return (hostname, options, callback) => {
    void import('node:dns').then(({ lookup }) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, '')
        try {
          check(
            hostname,
            addresses.map(({ address }) => classifyAddress(address)),
          )
        } catch (refusal) {
          return callback(refusal as Error, '')
        }
        const [first] = addresses
        if (options.all === true || first === undefined) return callback(null, addresses)
        return callback(null, first.address, first.family)
      })
    })
  }
}
