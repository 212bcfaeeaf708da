import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { utf8 } from '../../src/bytes.ts'
import type { Decision } from '../../src/policy/model.ts'
import { jmesSteps } from '../../src/policy-exchange/cel.ts'
import { importPolicies } from '../../src/policy-exchange/import.ts'
import { readSourceDocuments } from '../../../sdk/src/document/source.ts'
import { newTestKey } from '../verify/forge.ts'
import { encodePublicKeyPem } from '../../src/keys/public-key.ts'

const pem = encodePublicKeyPem(newTestKey().publicKey)
const key = { keys: { publicKeys: pem } }
const signed = { type: 'sigstoreSigned', keyData: bytesToBase64(utf8(pem)), signedIdentity: { type: 'matchRepository' } }

async function losses(documents: readonly object[], unmatched?: Decision): Promise<readonly string[]> {
  const text = documents.map((document) => JSON.stringify(document)).join('\n---\n')
  const read = await readSourceDocuments(text, 'policy', { code: 'policy_malformed', maxCharacters: 100_000 })
  const options = { name: 'imported', ...(unmatched === undefined ? {} : { unmatched }) }
  const result = await importPolicies(
    read.map(({ value }) => value),
    options,
  )
  return result.losses.map(({ effect, path }) => `${effect} ${path}`)
}

function kyverno(entry: object, metadata: object = {}): object {
  const verifyImages = [{ imageReferences: ['r.example/a:*'], ...entry }]
  return { apiVersion: 'kyverno.io/v1', kind: 'ClusterPolicy', metadata, spec: { rules: [{ name: 'a', verifyImages }] } }
}

function controller(name: string, authorities: readonly object[]): object {
  const spec = { images: [{ glob: `r.example/${name}` }], authorities }
  return { apiVersion: 'policy.sigstore.dev/v1beta1', kind: 'ClusterImagePolicy', metadata: { name }, spec }
}

const open = { apiVersion: 'v1', kind: 'ConfigMap', data: { 'no-match-policy': 'allow' } }

describe('attack: an import accepts more than its source, unnoticed', () => {
  it('by attestors so deep inside each other that those beside them suffice', async () => {
    const deep = (levels: number): object => ({ entries: [levels === 0 ? key : { attestor: deep(levels - 1) }] })
    const attestors = [{ entries: [key, { attestor: deep(4) }] }]
    expect((await losses([kyverno({ attestors })])).some((loss) => loss.startsWith('weaker'))).toBe(true)
  })

  it('by a wider scope that speaks of images which are rejected', async () => {
    const rejected = [{ type: 'reject' }]
    const inside = { default: rejected, transports: { docker: { 'r.example': [signed], 'r.example/evil': rejected } } }
    expect(await losses([inside])).toContain('weaker $.transports.docker["r.example/evil"]')
    const byDefault = { default: [signed], transports: { docker: { 'r.example/evil': rejected } } }
    expect(await losses([byDefault])).toContain('weaker $.transports.docker["r.example/evil"]')
    const wild = { default: rejected, transports: { docker: { '*.example': [signed], 'r.example:5000/evil': rejected } } }
    expect(await losses([wild])).toContain('weaker $.transports.docker["r.example:5000/evil"]')
  })

  it('by a later document that admits images which no rule speaks of', async () => {
    const refused = controller('evil', [{ static: { action: 'fail' } }])
    const documents = [refused, controller('a', [{ key: { data: pem } }])]
    expect(await losses(documents)).toContain('none $.spec.authorities[0]')
    expect(await losses([...documents, open])).toContain('weaker $.spec.authorities[0]')
    expect(await losses(documents, 'allow')).toContain('weaker $.spec.authorities[0]')
    const keyless = [controller('evil', [{ key: {} }]), controller('a', [{ key: { data: pem } }]), open]
    expect(await losses(keyless)).toContain('weaker $.spec.authorities')
  })

  it('by images with a digest, of which no rule speaks here, where such images are admitted', async () => {
    const imageReferences = [`r.example/a@sha256:${'a'.repeat(64)}`, 'r.example/b:*']
    const document = kyverno({ imageReferences, attestors: [{ entries: [key] }] })
    const path = '$.spec.rules[0].verifyImages[0].imageReferences[0]'
    expect(await losses([document])).toContain(`stricter ${path}`)
    expect(await losses([document], 'allow')).toContain(`weaker ${path}`)
  })

  it('by images that an expression chooses, of which no rule speaks here, where such images are admitted', async () => {
    const attestors = [{ name: 'team', cosign: { key: { data: pem } } }]
    const expression = 'images.containers.map(image, verifyImageSignatures(image, [attestors.team])).all(e, e > 0)'
    const matchImageReferences = [{ glob: 'r.example/a:*' }, { expression: 'x' }]
    const document = {
      apiVersion: 'policies.kyverno.io/v1',
      kind: 'ImageValidatingPolicy',
      metadata: {},
      spec: { matchImageReferences, attestors, validations: [{ expression }] },
    }
    expect(await losses([document])).toContain('stricter $.spec.matchImageReferences[1]')
    expect(await losses([document], 'allow')).toContain('weaker $.spec.matchImageReferences[1]')
  })

  it('by a document that admits what another one refuses', async () => {
    const only = { pattern: { spec: { containers: [{ image: 'r.example/*' }] } } }
    const restriction = { apiVersion: 'kyverno.io/v1', kind: 'ClusterPolicy', spec: { rules: [{ name: 'only', validate: only }] } }
    const lax = kyverno({ attestors: [{ entries: [key] }] }, { annotations: { 'countersign.dev/unmatched': 'allow' } })
    for (const documents of [
      [restriction, lax],
      [lax, restriction],
    ]) {
      const read = await readSourceDocuments(documents.map((one) => JSON.stringify(one)).join('\n---\n'), 'policy', {
        code: 'policy_malformed',
        maxCharacters: 100_000,
      })
      const { policy } = await importPolicies(
        read.map(({ value }) => value),
        { name: 'imported' },
      )
      expect(policy).toMatchObject({ match: { unmatched: 'deny' } })
    }
  })
})

describe('attack: a key of a condition made of blanks', () => {
  it('takes no more time than reading it', () => {
    const begun = performance.now()
    expect(jmesSteps(`{{${' '.repeat(200_000)}x`)).toBeUndefined()
    expect(jmesSteps(`{{${' '.repeat(200_000)}x}}`)).toEqual(['x'])
    expect(performance.now() - begun).toBeLessThan(10_000)
  })
})
