import { describe, expect, it } from 'vitest'
import { hintForAddress } from '@countersign/sdk/http/failures'

const [plain, secure] = [new URL('http://sign.example.org/tuf'), new URL('https://sign.example.org/tuf')]

describe('what to try when an address was not reached', () => {
  it.each([
    [secure, 'DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS'],
    [secure, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'NODE_EXTRA_CA_CERTS'],
    [secure, 'EPROTO', 'http://'],
    [secure, 'ERR_SSL_WRONG_VERSION_NUMBER', 'http://'],
    [plain, 'ECONNRESET', 'https://'],
    [plain, 'ECONNREFUSED', 'http://sign.example.org'],
  ])('at %s after %s names %s', (url, code, named) => {
    expect(hintForAddress(url, `GET ${url.href}: ${code}`)).toContain(named)
  })

  it('is left to the caller where nothing better is known', () => {
    expect(hintForAddress(secure, 'GET https://sign.example.org/tuf: ECONNRESET')).toBeUndefined()
    expect(hintForAddress(plain, 'the connection failed')).toBeUndefined()
  })
})
