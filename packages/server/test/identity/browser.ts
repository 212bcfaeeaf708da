/** Logging in at an identity service, request by request, as a browser and a signing tool do it. */
import { createHash } from 'node:crypto'
import type { IdentityWorld } from './world.ts'

/** The header of forms. */
export const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** Sends a request with the cookies of before. */
export type Visit = (url: string, init?: RequestInit) => Promise<Response>

/** A browser of one login: the answer to each request, cookies kept (at first these), redirects not followed. */
export function browser(cookies: Map<string, string> = new Map()): Visit {
  return async (url, init = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...(init.headers as Record<string, string> | undefined), cookie },
    })
    for (const set of answer.headers.getSetCookie()) {
      const [pair = ''] = set.split(';')
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
    return answer
  }
}

/** What the tool keeps to itself (RFC 7636 §4.1). */
export const verifier: string = 'v'.repeat(64)
const redirect = 'http://localhost:4321/auth/callback'

/** Begins a login; gives the address of its page. */
export async function begin(world: IdentityWorld, visit: Visit): Promise<string> {
  const url = new URL(`${world.issuer}/auth`)
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const query = { client_id: 'sigstore', response_type: 'code', scope: 'openid email', redirect_uri: redirect, state: 's', nonce: 'n' }
  for (const [name, value] of Object.entries({ ...query, code_challenge: challenge, code_challenge_method: 'S256' }))
    url.searchParams.set(name, value)
  return located(await visit(url.href), world)
}

/** Where an answer leads. */
export function located(answer: Response, world: IdentityWorld): string {
  return new URL(answer.headers.get('location') ?? '', world.issuer).href
}

/** Where a visit ends that follows redirects. */
export async function followed(answer: Response, world: IdentityWorld, visit: Visit): Promise<Response> {
  return answer.headers.has('location') ? followed(await visit(located(answer, world)), world, visit) : answer
}

/** The code that a login ends with, empty when it does not. */
export async function codeOf(done: Response, world: IdentityWorld, visit: Visit): Promise<string> {
  return new URL(located(await visit(located(done, world)), world)).searchParams.get('code') ?? ''
}

/** Asks for the token of a code. */
export async function exchange(world: IdentityWorld, code: string): Promise<Response> {
  const body = { grant_type: 'authorization_code', client_id: 'sigstore', code, redirect_uri: redirect, code_verifier: verifier }
  return fetch(`${world.issuer}/token`, { method: 'POST', headers: form, body: new URLSearchParams(body) })
}
