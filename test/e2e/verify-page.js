/** Runs in the browser: verifies every case that the server gives with WebCrypto, and posts what came out. */
import { base64ToBytes } from '@countersign/core/base64.js'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key.js'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root.js'
import { verifyBundle } from '@countersign/core/verify/verify.js'
import { webPrimitives } from '@countersign/core/web-primitives.js'

const primitives = webPrimitives(crypto.subtle)
const { cases, nowMs } = await (await fetch('/cases.json')).json()
const outcomes = {}
for (const one of cases) outcomes[one.name] = await outcome(one)
await fetch('/outcomes', { method: 'POST', body: JSON.stringify(outcomes) })
document.body.textContent = 'done'

async function outcome(one) {
  try {
    const demand = one.trustedRoot === undefined ? { kind: 'not_demanded' } : { kind: 'required' }
    const signer =
      one.key === undefined
        ? {
            kind: 'identities',
            identities: [{ issuer: { kind: 'exact', value: one.issuer }, subject: { kind: one.match, value: one.identity } }],
          }
        : { kind: 'keys', keys: [{ key: parsePublicKeyPem(one.key), label: 'key' }] }
    const result = await verifyBundle(base64ToBytes(one.bundle), {
      artifact: { kind: 'bytes', bytes: base64ToBytes(one.artifact) },
      policy: {
        signer,
        content: { kind: 'any_content' },
        log: demand,
        sct: one.key === undefined ? { kind: 'required' } : { kind: 'not_demanded' },
        signedTimestamp: { kind: 'not_demanded' },
        claims: { kind: 'required' },
      },
      ...(one.trustedRoot === undefined ? {} : { trustedRoot: parseTrustedRoot(base64ToBytes(one.trustedRoot)) }),
      nowMs,
      primitives,
    })
    return result.ok ? 'verified' : result.code
  } catch (thrown) {
    return typeof thrown.code === 'string' ? thrown.code : String(thrown)
  }
}
