/** NaCl's secretbox (XSalsa20-Poly1305), which cosign encrypts private keys with; noble is loaded at the first use. */

/** Loads what the other two need, for a caller with time to spare before their first use. */
export async function loadSecretbox(): Promise<void> {
  await import('@noble/ciphers/salsa.js')
}

/** Encrypts: 32-byte key, 24-byte nonce never used twice with it; gives the 16-byte tag, then the ciphertext. */
export async function sealSecretbox(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array> {
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js')
  return xsalsa20poly1305(key, nonce).encrypt(plaintext)
}

/** Decrypts what {@link sealSecretbox} gave; `undefined` when the key is another or a byte was changed. */
export async function openSecretbox(key: Uint8Array, nonce: Uint8Array, box: Uint8Array): Promise<Uint8Array | undefined> {
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js')
  const cipher = xsalsa20poly1305(key, nonce)
  try {
    return cipher.decrypt(box)
  } catch {
    // noble throws for a wrong tag and for a box shorter than one, and for nothing else once key and nonce have their lengths.
    return undefined
  }
}
