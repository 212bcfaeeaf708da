/** Documents as YAML, as people write them. */
import type { JsonValue } from '@countersign/core/json/parse'

/** The documents of one file. `comment` stands before the first, each line of it as a comment. Ends with a newline. */
export async function writeYaml(documents: readonly JsonValue[], comment: readonly string[] = []): Promise<string> {
  const { stringify } = await import('yaml')
  const head = comment.map((line) => `# ${line.replaceAll(/[\r\n]+/g, ' ')}`.trimEnd())
  const texts = documents.map((document) => stringify(document, { lineWidth: 0, version: '1.2', aliasDuplicateObjects: false }))
  return `${head.length === 0 ? '' : `${head.join('\n')}\n`}${texts.join('---\n')}`
}
