/** The page of the kit: what to copy, and what to compare before. Plain HTML, no scripts; every value is escaped. */
import { escapeHtml } from '../../base/http/html.ts'

/** What the page shows. */
export type KitPage = {
  /** Public URL of the installation. */
  readonly url: string
  /** SHA-256 of the root, hex. */
  readonly rootSha256: string
  readonly rootVersion: number
  readonly rootExpiresMs: number
  /** Services by name, with their addresses. */
  readonly services: readonly { readonly name: string; readonly url: string }[]
  /** Files under `/kit/` to be downloaded, with what they are. */
  readonly files: readonly { readonly name: string; readonly what: string }[]
  /** What will end soon, a sentence each. */
  readonly warnings: readonly string[]
}

/** The document. */
export function kitPage(page: KitPage): string {
  const host = new URL(page.url).host
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Client kit · ${escapeHtml(host)}</title>
<link rel="stylesheet" href="/kit/style.css">
</head>
<body>
<header>
<p class="product">Countersign</p>
<h1>Client kit of ${escapeHtml(host)}</h1>
<p>Set up a client once; then it signs and verifies with this installation.</p>
</header>
<main>
${page.warnings.map((text) => `<p class="warning" role="note">${escapeHtml(text)}</p>\n`).join('')}<section aria-labelledby="compare">
<h2 id="compare">1. Compare the root</h2>
<p>All trust begins with this file. Get its checksum from somebody you know, not from this page, and compare.</p>
<dl>
<dt>SHA-256 of root.json</dt><dd><code class="digest">${grouped(page.rootSha256)}</code></dd>
<dt>Version</dt><dd>${page.rootVersion}</dd>
<dt>Valid until</dt><dd><time datetime="${new Date(page.rootExpiresMs).toISOString()}">${new Date(page.rootExpiresMs).toISOString().slice(0, 10)}</time></dd>
</dl>
</section>
<section aria-labelledby="clients">
<h2 id="clients">2. Set up a client</h2>
${commands(page)
  .map(({ title, note, text }) => `<h3>${escapeHtml(title)}</h3>\n<p>${escapeHtml(note)}</p>\n<pre><code>${escapeHtml(text)}</code></pre>`)
  .join('\n')}
</section>
<section aria-labelledby="services">
<h2 id="services">Services</h2>
<table>
<thead><tr><th scope="col">Service</th><th scope="col">Address</th></tr></thead>
<tbody>
${page.services.map(({ name, url }) => `<tr><th scope="row">${escapeHtml(name)}</th><td><code>${escapeHtml(url)}</code></td></tr>`).join('\n')}
</tbody>
</table>
</section>
<section aria-labelledby="files">
<h2 id="files">Files</h2>
<ul>
${page.files.map(({ name, what }) => `<li><a href="/kit/${encodeURIComponent(name)}">${escapeHtml(name)}</a> <span>${escapeHtml(what)}</span></li>`).join('\n')}
</ul>
</section>
</main>
</body>
</html>
`
}

type Command = { readonly title: string; readonly note: string; readonly text: string }

function commands({ url, rootSha256 }: KitPage): readonly Command[] {
  const checked = `--mirror ${url}/tuf --root ${url}/kit/root.json --root-checksum ${rootSha256}`
  return [
    { title: 'cosign', note: 'Once; after that, commands need no flags.', text: `cosign initialize ${checked}` },
    { title: 'countersign', note: 'Once; after that, commands need no flags.', text: `countersign initialize ${checked}` },
    {
      title: 'gitsign',
      note: 'gitsign reads keys from files. The kit has them, and the environment that names them.',
      text: [
        `countersign kit --url ${url} --root-checksum ${rootSha256} "$HOME/.config/countersign/kit"`,
        '. "$HOME/.config/countersign/kit/env.sh"',
        `gitsign initialize --mirror ${url}/tuf --root "$HOME/.config/countersign/kit/root.json"`,
        'git config --global gpg.x509.program gitsign',
        'git config --global gpg.format x509',
        'git config --global commit.gpgsign true',
      ].join('\n'),
    },
    {
      title: 'openssl, and others that speak RFC 3161',
      note: 'The timestamp authority alone.',
      text: [
        'openssl ts -query -data FILE -sha256 -cert -out request.tsq',
        `curl -sS -H 'content-type: application/timestamp-query' --data-binary @request.tsq -o reply.tsr ${url}/tsa/api/v1/timestamp`,
        `curl -sSO ${url}/kit/tsa.pem`,
        'openssl ts -verify -queryfile request.tsq -in reply.tsr -CAfile tsa.pem',
      ].join('\n'),
    },
    {
      title: 'rekor-cli',
      note: 'What was logged through Rekor v1, read and proven.',
      text: [
        `rekor-cli --rekor_server ${url}/rekor loginfo`,
        `rekor-cli --rekor_server ${url}/rekor search --artifact FILE`,
        `rekor-cli --rekor_server ${url}/rekor get --log-index 0`,
      ].join('\n'),
    },
  ]
}

/** Groups of eight are easier to compare; copied, they are one word, since only their style sets them apart. */
function grouped(hex: string): string {
  return (hex.match(/.{1,8}/g) ?? []).map((part) => `<span>${escapeHtml(part)}</span>`).join('')
}

/** The stylesheet. */
export const kitStyle = `:root {
  color-scheme: light dark;
  --ink: light-dark(#1a1d21, #e8eaed);
  --soft: light-dark(#5b6470, #a2abb7);
  --paper: light-dark(#ffffff, #14171a);
  --raised: light-dark(#f4f6f8, #1e2328);
  --line: light-dark(#d9dee4, #343b43);
  --link: light-dark(#0b57a4, #8ab8f0);
  --warn: light-dark(#8a4b00, #ffc27a);
  --warn-paper: light-dark(#fff4e2, #33260f);
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
header { border-bottom: 1px solid var(--line); margin-bottom: 2rem; padding-bottom: 1rem; }
.product { color: var(--soft); font-size: .8rem; font-weight: 600; letter-spacing: .08em; margin: 0; text-transform: uppercase; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .25rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 0; }
p { margin: .25rem 0 .75rem; max-width: 42rem; }
code, pre { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: .875rem; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; margin: 0; overflow-wrap: anywhere; padding: .75rem 1rem; white-space: pre-wrap; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
a { color: var(--link); }
dl { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; display: grid; gap: .5rem 1.5rem; grid-template-columns: max-content 1fr; margin: 0; padding: 1rem; }
dt { color: var(--soft); }
dd { margin: 0; }
@media (max-width: 30rem) { .digest { grid-template-columns: repeat(2, max-content) !important; } }
.digest { display: grid; gap: 0 .75em; grid-template-columns: repeat(4, max-content); }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .75rem .4rem 0; text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-size: .875rem; font-weight: 500; }
tbody th { font-weight: 500; white-space: nowrap; }
td code { overflow-wrap: anywhere; }
ul { list-style: none; margin: 0; padding: 0; }
li { padding: .2rem 0; }
li span { color: var(--soft); }
.warning { background: var(--warn-paper); border-left: 4px solid var(--warn); border-radius: .25rem; color: var(--warn); max-width: none; padding: .75rem 1rem; }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } thead { clip-path: inset(50%); position: absolute; } tbody th, tbody td { display: block; } tbody th { border: 0; padding-bottom: 0; } }
`
