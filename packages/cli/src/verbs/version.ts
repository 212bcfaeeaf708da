/** `countersign version`. */
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { version } from '../version.ts'

/** Prints the version, of the command and of what runs it. The names of the JSON are cosign's. */
export function versionVerb({ flags, terminal }: Invocation): Promise<Conclusion> {
  const facts = { gitVersion: `v${version}`, nodeVersion: process.version, platform: `${process.platform}/${process.arch}` }
  if (flags.boolean('json', false)) terminal.out(`${JSON.stringify(facts, undefined, 2)}\n`)
  else
    terminal.out(
      `countersign: signs and verifies container images and files.\n\nGitVersion:    ${facts.gitVersion}\nNodeVersion:   ${facts.nodeVersion}\nPlatform:      ${facts.platform}\n`,
    )
  return Promise.resolve({ subjects: [{ subject: 'countersign', ok: true, content: facts }] })
}
