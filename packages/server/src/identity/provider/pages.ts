/** The few pages that people see when they log in: plain HTML without scripts. Every text from outside is escaped. */
import { escapeHtml } from '../../base/http/html.ts'

const style = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;color:#1b2430;background:#f4f6f8;margin:0}
main{box-sizing:border-box;width:calc(100% - 2rem);max-width:28rem;margin:10vh auto;padding:clamp(1.25rem,6vw,2rem);overflow-wrap:anywhere;background:#fff;border:1px solid #d5dbe1;border-radius:.5rem}
h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0 .25rem;font-weight:600}
input:not([type=hidden]){width:100%;box-sizing:border-box;padding:.5rem;font:inherit;border:1px solid #8a97a5;border-radius:.25rem}
button,.button{display:block;width:100%;box-sizing:border-box;margin-top:1rem;padding:.6rem;font:inherit;font-weight:600;color:#fff;background:#14507a;border:0;border-radius:.25rem;text-align:center;text-decoration:none;cursor:pointer}
button.second{color:inherit;background:none;border:1px solid #8a97a5}
button:focus-visible,.button:focus-visible,input:focus-visible,a:focus-visible{outline:3px solid #f0a81c;outline-offset:1px}
.problem{color:#8c1d18;background:#fdeceb;padding:.5rem .75rem;border-radius:.25rem}.plain,.hint{color:#4a5663}.hint{font-weight:400}a{color:#14507a}code{font-size:1.25em;letter-spacing:.1em}
@media(prefers-color-scheme:dark){body{color:#e6ebf0;background:#12181f}main{background:#1b242e;border-color:#34414e}input:not([type=hidden]){background:#12181f;color:inherit}.plain,.hint{color:#a9b5c1}a:not(.button){color:#8ab8f0}.problem{color:#ffb4ab;background:#3b1512}}`

/** Headers of every page: nothing is loaded from anywhere, nobody frames it, nothing keeps it. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}

/** A page; `body` is HTML. */
export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)} · Countersign</title><style>${style}</style><main><h1>${escapeHtml(title)}</h1>${body}</main></html>`
}

/** What the login page offers. */
export type LoginPage = {
  /** Where the form goes. */
  readonly action: string
  /** Whom the person logs in for. */
  readonly client: string
  readonly problem?: string
  /** What was typed as the name before. */
  readonly name?: string
  /** Other providers: where to go, and what they are called. */
  readonly upstreams: readonly { readonly name: string; readonly action: string }[]
}

/** The login page. */
export function loginPage({ action, client, problem, name: typed = '', upstreams }: LoginPage): string {
  const [first, second] = typed === '' ? [' autofocus', ''] : ['', ' autofocus']
  const others = upstreams
    .map(({ name, action: to }) => `<a class="button" href="${escapeHtml(to)}">Log in with ${escapeHtml(name)}</a>`)
    .join('')
  return page(
    'Log in',
    `<p class="plain">to sign with ${escapeHtml(client)}</p>${problemHtml(problem)}
<form method="post" action="${escapeHtml(action)}"><label for="name">Name</label><input id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" value="${escapeHtml(typed)}" required${first}>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required${second}>
<label for="code">One-time password <span class="hint">(if your account has one)</span></label><input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" title="six digits">
<button>Log in</button></form>${others}`,
  )
}

/**
 * Asks whether to go on as whoever is logged in (RFC 8252 §8.6): any program on the machine can call itself a signing tool, and must not get a
 * token without a person noticing. The button has no focus: who holds a key down elsewhere when this page opens has agreed to nothing.
 */
export function continuePage(action: string, account: { readonly name: string; readonly email: string }): string {
  return page(
    'Sign as yourself?',
    `<p>A program on this machine asks to sign as <strong>${escapeHtml(account.email)}</strong> (${escapeHtml(account.name)}). If you did not start it, close this page.</p>
<form method="post" action="${escapeHtml(action)}"><button>Yes, that was me</button></form>
<form method="post" action="${escapeHtml(action)}"><input type="hidden" name="logout" value="yes"><button class="second">No, log out</button></form>`,
  )
}

/** The page behind a login link: choose a password. */
export function welcomePage(action: string, name: string, problem?: string): string {
  return page(
    `Welcome, ${name}`,
    `<p class="plain">Choose a password of at least 12 characters. This link works once.</p>${problemHtml(problem)}
<form method="post" action="${escapeHtml(action)}"><input name="username" value="${escapeHtml(name)}" autocomplete="username" readonly hidden>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="new-password" minlength="12" required autofocus>
<button>Set password</button></form>`,
  )
}

/** The page after it. */
export function passwordSetPage(name: string): string {
  return page(
    'Your password is set',
    `<p>You can close this page. When you sign, log in as <strong>${escapeHtml(name)}</strong>.</p>
<p class="plain">To set up cosign, gitsign or countersign for it, see the <a href="/kit">client kit</a>.</p>`,
  )
}

/** Something to read, and nothing to do. */
export function messagePage(title: string, text: string): string {
  return page(title, `<p>${escapeHtml(text)}</p>`)
}

function problemHtml(problem: string | undefined): string {
  return problem === undefined ? '' : `<p class="problem" role="alert">${escapeHtml(sentence(problem))}</p>`
}

/** A failure's text as people read it on a page. */
function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
