import { CountersignError } from '@countersign/core/failure'
import { describe, expect, it } from 'vitest'
import type { Command } from '../../src/command/model.ts'
import { verbs } from '../../src/command/table.ts'
import { verifyCommand } from '../../src/commands/verify.ts'
import { environmentLayer, readFromEnvironment, variablesOf } from '../../src/flags/environment.ts'
import { globalFlags } from '../../src/flags/global.ts'

const nothing = new Map<string, readonly string[]>()

function layer(environment: Readonly<Record<string, string>>, given: ReadonlyMap<string, readonly string[]> = nothing) {
  const { values, places } = environmentLayer(verifyCommand, given, environment)
  return { values: Object.fromEntries(values), places: Object.fromEntries(places) }
}

function refusal(environment: Readonly<Record<string, string>>): string {
  try {
    layer(environment)
  } catch (error) {
    if (error instanceof CountersignError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'accepted'
}

describe('variables that stand for flags', () => {
  it('are named after the flag, and say where a value came from', () => {
    expect(layer({ COUNTERSIGN_TRUSTED_ROOT: 'root.json', COUNTERSIGN_TIMEOUT: '60s' })).toEqual({
      values: { 'trusted-root': ['root.json'], timeout: ['60s'] },
      places: { 'trusted-root': 'COUNTERSIGN_TRUSTED_ROOT', timeout: 'COUNTERSIGN_TIMEOUT' },
    })
  })

  it('may be meant for the verbs that verify, or for one verb; the nearest wins', () => {
    expect(layer({ COUNTERSIGN_KEY: 'a', COUNTERSIGN_VERIFY_KEY: 'b', COUNTERSIGN_SIGN_KEY: 'c' }).values).toEqual({ key: ['b'] })
    const flag = { name: 'type', kind: 'text', help: '' } as const
    expect(variablesOf(flag, 'verify-attestation')).toEqual([
      'COUNTERSIGN_VERIFY_ATTESTATION_TYPE',
      'COUNTERSIGN_VERIFY_TYPE',
      'COUNTERSIGN_TYPE',
    ])
  })

  it('hold one value a line of a flag that may be repeated, and commas where the flag takes them', () => {
    expect(layer({ COUNTERSIGN_KEY: 'old.pub\nnew.pub\n', COUNTERSIGN_ANNOTATIONS: 'a=1,b=2' }).values).toEqual({
      key: ['old.pub', 'new.pub'],
      annotations: ['a=1', 'b=2'],
    })
  })

  it('give way to what was typed, of signers to any that was typed', () => {
    const environment = { COUNTERSIGN_KEY: 'env.pub', COUNTERSIGN_TIMEOUT: '1s', COUNTERSIGN_CERTIFICATE_IDENTITY: 'eve' }
    expect(
      layer(
        environment,
        new Map([
          ['timeout', ['2s']],
          ['key', ['typed.pub']],
        ]),
      ).values,
    ).toEqual({})
  })

  it('attack: a variable puts a policy in the place of a signer that was typed', () => {
    const typed = new Map([['key', ['typed.pub']]])
    expect(() => layer({ COUNTERSIGN_POLICY: 'lax.yaml' }, typed)).toThrow('COUNTERSIGN_POLICY names a policy')
    expect(layer({ COUNTERSIGN_POLICY: 'lax.yaml' }, new Map([...typed, ['policy', ['typed.yaml']]])).values).toEqual({})
  })

  it('are checked as if they had been typed', () => {
    expect(refusal({ COUNTERSIGN_TIMEOUT: 'soon' })).toBe('usage: COUNTERSIGN_TIMEOUT has a malformed value')
    expect(refusal({ COUNTERSIGN_REQUIRE_TLOG: 'yes please' })).toBe('usage: COUNTERSIGN_REQUIRE_TLOG has a malformed value')
  })

  it('refuse an empty demand of a verification, which would demand less than was meant', () => {
    expect(refusal({ COUNTERSIGN_TRUSTED_ROOT: '' })).toBe('usage: COUNTERSIGN_TRUSTED_ROOT is set to an empty value')
    expect(refusal({ COUNTERSIGN_TIMEOUT: '' })).toBe('accepted')
  })

  it('cannot weaken a check: whoever reads the command must see it', async () => {
    expect(
      layer({ COUNTERSIGN_INSECURE_IGNORE_TLOG: 'true', COUNTERSIGN_CHECK_CLAIMS: 'false', COUNTERSIGN_ALLOW_HTTP_REGISTRY: 'true' })
        .values,
    ).toEqual({})
    const flags = (await commands()).flatMap((command) => command.flags)
    const weakening = flags.filter(
      (flag) => /insecure|^allow-|^accept-|^no-state$|^private-infra|^check-claims|unverified/.test(flag.name) && flag.idle === undefined,
    )
    expect(weakening.length).toBeGreaterThan(10)
    expect(weakening.filter(readFromEnvironment)).toEqual([])
  })

  it('do not mistake the password of a key for that of a registry', () => {
    expect(readFromEnvironment({ name: 'password', kind: 'text', help: '' })).toBe(false)
  })

  it('never mean two flags of one verb', async () => {
    const twice = (await commands()).flatMap((command) => {
      const names = [...command.flags, ...globalFlags].filter(readFromEnvironment).flatMap((flag) => variablesOf(flag, command.name))
      return names.filter((name, at) => names.indexOf(name) !== at)
    })
    expect(twice).toEqual([])
  })
})

function commands(): Promise<readonly Command[]> {
  return Promise.all(verbs.map((verb) => verb.load()))
}
