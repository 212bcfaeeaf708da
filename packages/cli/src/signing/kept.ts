/** What services say of a signature is kept in a bundle or nowhere. */
import { CountersignError } from '@countersign/core/failure'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'

/**
 * Throws `usage`, before anybody is asked, where the signature of a file would be published and then lost: without its certificate and its log
 * entry nobody can verify one whose key is gone. `bundled`: a bundle is written although `--bundle` names none. With `--key`, only the signer
 * knows whether it asks services.
 */
export function demandBundle({ flags }: Invocation, bundled: boolean, signer?: Signer): void {
  const keyless = flags.text('key') === undefined
  if (!keyless && signer?.services === undefined) return
  const what = keyless ? 'a signature without --key' : 'what services say of a signature'
  if (flags.text('new-bundle-format') === 'false') {
    throw new CountersignError('usage', `${what} is kept in a bundle, and --new-bundle-format=false asks for none`, {
      hint: keyless ? 'Leave it out, or sign with --key.' : 'Leave it out, or sign without services.',
    })
  }
  if (!bundled && flags.text('bundle') === undefined) {
    throw new CountersignError('usage', `${what} is kept in a bundle, and it is not said where`, {
      hint: 'Name a file, as in --bundle FILE.sigstore.json, which verify-blob finds beside FILE.',
    })
  }
}
