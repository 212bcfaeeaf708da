/** Where the password of a private key comes from. */
import { utf8 } from '@countersign/core/bytes'

/** Gives a password, or `undefined` when there is nowhere to get one. */
export type PasswordSource = () => Promise<Uint8Array | undefined>

/** Variables that may hold the password, the first that is set wins, also when it is empty: an empty password is a password. */
export const passwordVariables = ['COUNTERSIGN_PASSWORD', 'COSIGN_PASSWORD'] as const

/** The password from the environment, else from the person at the terminal (`prompt`, absent where there is none). */
export function passwordSource(environment: Readonly<Record<string, string | undefined>>, prompt?: PasswordSource): PasswordSource {
  return async () => {
    for (const name of passwordVariables) {
      const value = environment[name]
      if (value !== undefined) return utf8(value)
    }
    return prompt?.()
  }
}
