/** What a room hands to the process: routes under a path, what it needs to stop, how it is. */
import type { FastifyInstance } from 'fastify'

/** One service on the one port. */
export type Service = {
  /** Its name in logs, metrics and `/readyz`: `fulcio`, `rekor`, `rekor2`, `tsa`, `tuf`, `oidc`, `kit`. */
  readonly name: string
  /** Path under which the routes are mounted, as `/fulcio`; empty for the root. */
  readonly prefix: string
  /** Adds the routes to an encapsulated Fastify instance: hooks, parsers and error handlers set there stay there. */
  readonly routes: (app: FastifyInstance) => void | Promise<void>
  /** Ready to serve, or why not (text without secrets). */
  readonly ready?: () => Promise<{ readonly ok: true } | { readonly ok: false; readonly detail: string }>
  /** Called after the last request was answered. */
  readonly close?: () => Promise<void>
}
