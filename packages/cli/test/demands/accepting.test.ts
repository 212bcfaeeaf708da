import { execFileSync } from 'node:child_process'
import type { Evidence, SignerEvidence } from '@countersign/core/verify/evidence'
import { parsePolicy } from '@countersign/core/policy/document'
import { assert, constantFrom, property, sample, string } from 'fast-check'
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { verifyCommand } from '../../src/commands/verify.ts'
import { acceptingLines, namesNobody, shellQuoted } from '../../src/demands/accepting.ts'
import { invocationOf } from './invocation.ts'

const hostile = string({
  unit: constantFrom(
    'a',
    'é',
    '文',
    ' ',
    "'",
    '"',
    '\\',
    '$',
    '`',
    '!',
    '\n',
    '\r',
    '\u001b',
    '\u0007',
    '\u009b',
    '\u202e',
    '\u2028',
    '\u{e0041}',
    '-',
    ';',
    '#',
    '{',
    '}',
  ),
  minLength: 1,
  maxLength: 30,
})

function certified(subject: string, issuer = 'https://issuer.example'): Pick<Evidence, 'signer'> {
  return { signer: { kind: 'certificate', subject, issuer } as unknown as SignerEvidence }
}

describe('who signed is shown with what would accept exactly them', () => {
  it('as flags and as a line of a policy', () => {
    expect(acceptingLines(certified("o'neil@example.org"))).toEqual([
      "o'neil@example.org, vouched for by https://issuer.example",
      String.raw`  flags: --certificate-identity='o'\''neil@example.org' --certificate-oidc-issuer=https://issuer.example`,
      '  in a policy: { certificate: { issuer: "https://issuer.example", subject: "o\'neil@example.org" } }',
    ])
  })

  it('an attacker who is certified under a name with escapes, line breaks or reversed text forges nothing on the terminal', () => {
    assert(
      property(hostile, (name) => {
        const text = acceptingLines(certified(name)).join('')
        // Nothing but letters, marks, digits, punctuation, symbols and blanks.
        expect(text.replaceAll(/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '')).toBe('')
      }),
      { numRuns: 500 },
    )
  })

  it('and is offered no flags for such a name: what is not shown as it is, nobody should paste', () => {
    expect(acceptingLines(certified('a\u202eb')).join('\n')).not.toContain('--certificate-identity')
  })

  it('the line of a policy means exactly that name, whatever is in it', () => {
    assert(
      property(hostile, (name) => {
        const line = acceptingLines(certified(name)).at(-1)?.replace('  in a policy: ', '')
        const text = `apiVersion: countersign.dev/v1\nkind: ArtifactPolicy\nmatch: { images: [a] }\nidentities: { it: ${line} }\nrequire: [{ name: r, signature: { by: it } }]\n`
        expect(parsePolicy(parse(text)).identities.get('it')?.signer).toMatchObject({ subject: { kind: 'exact', value: name } })
      }),
      { numRuns: 300 },
    )
  })

  it('a shell reads a quoted name as one word, and as what it was', () => {
    const names = sample(hostile, { numRuns: 300, seed: 7 })
    const script = `printf '%s\\0' ${names.map(shellQuoted).join(' ')}`
    expect(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(names)
  })
})

describe('nobody is named', () => {
  const flags = (...argv: string[]): boolean => namesNobody(invocationOf(verifyCommand, argv).invocation.flags)
  it('without key, policy and a whole identity', () => {
    expect([flags(), flags('--certificate-identity', 'x'), flags('--certificate-oidc-issuer-regexp', 'x')]).toEqual([true, true, true])
    expect([flags('--key', 'k'), flags('--policy', 'p'), flags('--certificate-identity', 'x', '--certificate-oidc-issuer', 'y')]).toEqual([
      false,
      false,
      false,
    ])
  })
})
