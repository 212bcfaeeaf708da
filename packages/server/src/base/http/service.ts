/** What a room hands to the process: routes under a path, what it needs to stop, how it is. */
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'

/** An answer that is ready before its request is read. */
export type EarlyRefusal = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }

/** Whether a service can serve; and what will keep it from that one day, if nobody does anything. */
export type Readiness = { readonly ok: true; readonly warnings?: readonly string[] } | { readonly ok: false; readonly detail: string }

/** One service on the one port. */
export type Service = {
  /** Its name in logs, metrics and `/readyz`, as `rekor2`; of those that clients are told of also the name of their address. */
  readonly name: string
  /** Path under which the routes are mounted, as `/fulcio`; empty for the root. */
  readonly prefix: string
  /** True: who opens the address of the server in a browser is sent to the prefix of this one. */
  readonly front?: boolean
  /** Paths below the prefix behind which a secret stands, as `/welcome/`: logs have nothing of what follows. */
  readonly secretPaths?: readonly string[]
  /**
   * Asked with method and URL before anything else is done with a request: gives the answer to one that cannot be taken now. Under a flood this is all
   * that happens, so that it must cost nothing.
   */
  readonly refuseAtOnce?: (method: string, url: string) => EarlyRefusal | undefined
  /** Adds the routes to an encapsulated Fastify instance: hooks, parsers and error handlers set there stay there. Bodies come as bytes (`bodyOf`). */
  readonly routes: (app: FastifyInstance) => void | Promise<void>
  /** Ready to serve, or why not (text without secrets). */
  readonly ready?: () => Promise<Readiness>
  /** Called once, before the first request: adds what the service counts to `/metrics`. */
  readonly metrics?: (registry: Registry) => void
  /** Called after the last request was answered, in the order of mounting reversed. */
  readonly close?: () => Promise<void>
}
