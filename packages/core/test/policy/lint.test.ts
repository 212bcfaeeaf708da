import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { lintPolicy } from '../../src/policy/lint.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import { compiled, daysAgo, now, somebody } from './fixture.ts'

const [alice, bob] = [await somebody('alice'), await somebody('bob')]
const good = { identities: { alice: { keys: [alice.pem] } }, require: [{ name: 'signed', signature: { by: 'alice' } }] }
const by = (who: JsonValue): JsonValue => [{ name: 'signed', signature: { by: who } }]
const certificate = (subject: JsonValue): JsonValue => ({ certificate: { issuer: 'https://i', subject } })
const old = { keys: [{ pem: bob.pem, validUntil: formatTime(daysAgo(1)) }] }

async function lint(parts: { readonly [name: string]: JsonValue }): Promise<readonly string[]> {
  return lintPolicy(await compiled({ ...good, ...parts }), now).map(({ finding, path }) => `${finding} ${path}`)
}

describe('a policy is suspicious', () => {
  it.each<[string, { readonly [name: string]: JsonValue }, readonly string[]]>([
    ['not, when it is good', {}, []],
    [
      'when a pattern accepts everybody',
      { identities: { x: certificate({ pattern: '.*' }) }, require: by('x') },
      ['accepts_everybody $.identities.x'],
    ],
    [
      'when an anchored pattern accepts everybody',
      { identities: { x: certificate({ pattern: '^(.+)$' }) }, require: by('x') },
      ['accepts_everybody $.identities.x'],
    ],
    [
      'when a glob accepts everybody',
      { identities: { x: certificate({ glob: '**' }) }, require: by('x') },
      ['accepts_everybody $.identities.x'],
    ],
    [
      'when a pattern accepts everybody in other words',
      { identities: { x: certificate({ pattern: '(?s:.*)' }) }, require: by('x') },
      ['accepts_everybody $.identities.x'],
    ],
    [
      'when a pattern ends where a name goes on',
      { identities: { x: certificate({ pattern: 'https://github\\.com/acme.*' }) }, require: by('x') },
      ['name_open_ended $.identities.x.certificate.subject'],
    ],
    [
      'when a glob ends where a name goes on',
      { identities: { x: certificate({ glob: 'https://github.com/acme**' }) }, require: by('x') },
      ['name_open_ended $.identities.x.certificate.subject'],
    ],
    [
      'when a glob begins with anything',
      { identities: { x: certificate({ glob: '**/release.yml' }) }, require: by('x') },
      ['name_open_ended $.identities.x.certificate.subject'],
    ],
    [
      'when a dot of a pattern stands for any character',
      { identities: { x: certificate({ pattern: 'https://github.com/acme/[a-z]+' }) }, require: by('x') },
      ['name_open_ended $.identities.x.certificate.subject'],
    ],
    [
      'not, when tags are open',
      { identities: { x: certificate({ glob: 'https://github.com/acme/app/w.yml@refs/tags/v*' }) }, require: by('x') },
      [],
    ],
    [
      'not, when mail addresses of one domain are meant',
      { identities: { x: certificate({ glob: '*@acme.example' }) }, require: by('x') },
      [],
    ],
    [
      'when a condition holds for nothing',
      { require: [{ name: 'x', attestation: { type: 'spdx', by: 'alice', condition: '!has(predicate.bad)' } }] },
      ['condition_vacuous $.require[0].attestation.condition'],
    ],
    [
      'when a condition holds for an empty list',
      { require: [{ name: 'x', attestation: { type: 'spdx', by: 'alice', condition: 'predicate.list.all(x, x.ok)' } }] },
      ['condition_vacuous $.require[0].attestation.condition'],
    ],
    [
      'not, when the list must not be empty',
      {
        require: [
          { name: 'x', attestation: { type: 'spdx', by: 'alice', condition: 'size(predicate.list) > 0 && predicate.list.all(x, x.ok)' } },
        ],
      },
      [],
    ],
    [
      'when what fails can be made to be missing',
      { require: [{ name: 'x', signature: { by: 'alice' }, onMissing: 'warn' }] },
      ['missing_passes $.require[0]'],
    ],
    [
      'when it says the same twice',
      {
        require: [
          { name: 'x', signature: { by: 'alice' } },
          { name: 'y', signature: { by: 'alice' } },
        ],
      },
      ['rule_repeated $.require[1]'],
    ],
    [
      'when no signature is old and young enough',
      { require: [{ name: 'x', signature: { by: 'alice', before: formatTime(daysAgo(30)), maxAge: '10d' } }] },
      ['never_satisfied $.require[0]'],
    ],
    [
      'when a glob fits no reference',
      { match: { images: ['registry.example/**', 'https://registry.example/x', 'registry.example/Team/**'] } },
      ['matches_nothing $.match.images', 'matches_nothing $.match.images'],
    ],
    [
      'when a rule speaks of other media types than the policy',
      { match: { mediaTypes: ['a/b'] }, require: [{ name: 'x', match: { mediaTypes: ['a/c'] }, signature: { by: 'alice' } }] },
      ['matches_nothing $.require[0].match'],
    ],
    [
      'when a rule speaks of files and the policy of images alone',
      { require: [{ name: 'x', match: { files: ['**'] }, signature: { by: 'alice' } }] },
      ['matches_nothing $.require[0].match'],
    ],
    ['not, when a glob means somebody', { identities: { x: certificate({ glob: 'https://github.com/acme/**' }) }, require: by('x') }, []],
    ['when nobody uses an identity', { identities: { ...good.identities, x: certificate('a') } }, ['identity_unused $.identities.x']],
    [
      'when a key has expired',
      { identities: { ...good.identities, bob: old }, require: by({ anyOf: ['alice', 'bob'] }) },
      ['key_expired $.identities.bob.keys[0]'],
    ],
    [
      'when too few keys are valid',
      { identities: { ...good.identities, bob: old }, require: by({ allOf: ['alice', 'bob'] }) },
      ['key_expired $.identities.bob.keys[0]', 'never_satisfied $.require[0]'],
    ],
    [
      'when nobody has the role that it demands',
      {
        identities: { ...good.identities, bob: { keys: [bob.pem], person: 'b' } },
        require: by({ threshold: 1, of: ['bob'], roles: ['nobody'] }),
      },
      ['identity_unused $.identities.alice', 'never_satisfied $.require[0]'],
    ],
    [
      'when a rule denies nothing',
      { require: [{ name: 'x', signature: { by: 'alice' }, onMissing: 'allow', onFail: 'allow' }] },
      ['never_denies $.require[0]'],
    ],
    [
      'when a condition looks at nothing',
      { require: [{ name: 'x', attestation: { type: 'spdx', by: 'alice', condition: 'true' } }] },
      ['condition_without_input $.require[0].attestation.condition'],
    ],
    [
      'when a rule speaks of other images than the policy',
      { require: [{ name: 'x', match: { images: ['other.example/**'] }, signature: { by: 'alice' } }] },
      ['matches_nothing $.require[0].match'],
    ],
    [
      'not, when they may overlap',
      { require: [{ name: 'x', match: { images: ['registry.example/*/x', '**'] }, signature: { by: 'alice' } }] },
      [],
    ],
    [
      'not, when they are of Docker Hub in another spelling',
      {
        match: { images: ['registry.example/**'] },
        require: [
          { name: 'x', match: { images: ['team/a.b/x'] }, signature: { by: 'alice' } },
          { name: 'y', match: { images: ['team/localhost/x'] }, signature: { by: 'alice' } },
        ],
      },
      [],
    ],
    [
      'not, when a rule shares one of its media types',
      {
        match: { mediaTypes: ['a/b', 'a/c'] },
        require: [{ name: 'x', match: { mediaTypes: ['a/d', 'a/c'] }, signature: { by: 'alice' } }],
      },
      [],
    ],
    [
      'not, when a rule names the images of media types that the policy speaks of',
      { match: { mediaTypes: ['a/b'] }, require: [{ name: 'x', match: { images: ['registry.example/x'] }, signature: { by: 'alice' } }] },
      [],
    ],
    [
      'not, when one rule binds the names that mirrors are for',
      {
        mirrors: [{ from: 'registry.example/**', to: 'mirror.example/**' }],
        require: [
          { name: 'x', signature: { by: 'alice', boundName: 'required' } },
          { name: 'y', signature: { by: 'alice' } },
        ],
      },
      [],
    ],
    ['not, when an exact name only looks like a pattern', { identities: { x: certificate('https://code/acme.*') }, require: by('x') }, []],
    [
      'not, when a rule is milder with what fails than with what is missing',
      { require: [{ name: 'x', signature: { by: 'alice' }, onFail: 'allow' }] },
      [],
    ],
    [
      'when one of two keys has expired, and not because too few are left',
      { identities: { bob: { keys: [{ pem: bob.pem, validUntil: formatTime(daysAgo(1)) }, alice.pem] } }, require: by('bob') },
      ['key_expired $.identities.bob.keys[0]'],
    ],
    [
      'when it allows what it does not speak of',
      { match: { images: ['registry.example/**'], unmatched: 'allow' } },
      ['unmatched_allowed $.match.unmatched'],
    ],
  ])('%s', async (_when, parts, expected) => {
    expect(await lint(parts)).toEqual(expected)
  })
})
