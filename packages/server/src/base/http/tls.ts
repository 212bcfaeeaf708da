/** The certificate of the port: read, checked, and read again when its files change, without dropping a connection. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { CountersignError } from '@countersign/core/failure'
import type { Log } from './log.ts'

/** Files in PEM: the certificate with its chain behind it, and its private key. */
export type TlsFiles = { readonly certificate: string; readonly key: string }

/** What a TLS server is given. */
export type TlsContext = { readonly cert: string; readonly key: string; readonly minVersion: 'TLSv1.2' }

/** Reads both files and sees that they belong together. Throws `tls_unusable`, naming the file. */
export async function readTls(files: TlsFiles): Promise<TlsContext> {
  const [cert, key] = [await readPem(files.certificate), await readPem(files.key)]
  let leaf: X509Certificate
  try {
    leaf = new X509Certificate(cert)
  } catch (cause) {
    throw new CountersignError('tls_unusable', `${files.certificate} holds no certificate in PEM`, { cause })
  }
  try {
    if (!leaf.checkPrivateKey(createPrivateKey(key))) {
      throw new CountersignError('tls_unusable', `${files.key} is not the key of the certificate in ${files.certificate}`)
    }
    createSecureContext({ cert, key })
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    throw new CountersignError('tls_unusable', `${files.key} holds no private key in PEM without password, or the chain is malformed`, {
      cause,
    })
  }
  return { cert, key, minVersion: 'TLSv1.2' }
}

/** Looks at the files from time to time; and at once when asked. */
export type TlsWatch = { readonly reload: () => Promise<void>; readonly stop: () => void }

/**
 * Watches both files (by size, time and inode, every `intervalMs`: whoever renews certificates replaces files and links in many ways) and hands
 * over what is new. A pair that does not fit together, as in the middle of a replacement, is left alone and read again at the next look.
 */
export function watchTls(files: TlsFiles, apply: (context: TlsContext) => void, log: Log, intervalMs: number): TlsWatch {
  let seen: string | undefined
  let running: Promise<void> = Promise.resolve()
  const look = async (always: boolean): Promise<void> => {
    try {
      const now = `${await fingerprint(files.certificate)} ${await fingerprint(files.key)}`
      if (!always && (seen ??= now) === now) return
      apply(await readTls(files))
      seen = now
      log.info({ certificate: files.certificate }, 'certificate reloaded')
    } catch (failure) {
      log.warn({ err: failure }, 'certificate not reloaded; the one before stays')
    }
  }
  const next = (always: boolean): Promise<void> => (running = running.then(() => look(always)))
  void next(false)
  const timer = setInterval(() => void next(false), intervalMs)
  timer.unref()
  return { reload: () => next(true), stop: () => clearInterval(timer) }
}

async function fingerprint(path: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(path)
  return `${ino}-${size}-${mtimeMs}`
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new CountersignError('tls_unusable', `${path} cannot be read`, {
      cause,
      hint: 'It is named in the configuration under tls: it must be there, and this account may read it.',
    })
  }
}
