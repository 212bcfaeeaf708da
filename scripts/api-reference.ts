/**
 * Writes the reference of the public names of `core` and `sdk` from their TSDoc (`docs/reference/api`), and that of the command line from
 * its `--help` (`docs/reference/commands.md`): `node --conditions=source scripts/api-reference.ts`. A test compares both with the sources.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { type Comment, parseSync, type Program, type Statement } from 'oxc-parser'
import { helpOf, helpOfAll } from '../packages/cli/src/command/help.ts'
import { verbs } from '../packages/cli/src/command/table.ts'

const root = resolve(import.meta.dirname, '..')
const made = '<!-- Made by scripts/api-reference.ts; do not edit. -->\n\n'

/** Every page by its path in the repository. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/reference/api/core.md', apiPage('core')],
    ['docs/reference/api/sdk.md', apiPage('sdk')],
    ['docs/reference/commands.md', await commandsPage()],
  ])
}

const globalPart = '\nGlobal flags:\n'

async function commandsPage(): Promise<string> {
  let text = `# Commands\n\n${made}What \`countersign VERB --help\` says, for all verbs. Each flag is also a variable and a line of a profile: [in CI](../guides/in-ci.md).\n\n`
  text += `\`\`\`text\n${helpOfAll(verbs)}\`\`\`\n`
  let general = ''
  for (const verb of verbs) {
    const [own = '', every = ''] = helpOf(await verb.load()).split(globalPart)
    general = every
    text += `\n## ${verb.name}\n\n\`\`\`text\n${own}\`\`\`\n`
  }
  return `${text}\n## Flags of every verb\n\n\`\`\`text\n${general}\`\`\`\n`
}

/** A parsed module. */
type Module = { readonly text: string; readonly program: Program; readonly comments: readonly Comment[] }

/** One exported name, with where it is declared. */
type PublicName = { readonly name: string; readonly file: string }

function parseModule(file: string): Module {
  const text = readFileSync(join(root, file), 'utf8')
  const { program, comments, errors } = parseSync(file, text, { lang: 'ts' })
  if (errors.length > 0) throw new CountersignError('internal', `${file}: ${errors[0]?.message ?? 'does not parse'}`)
  return { text, program, comments }
}

function apiPage(name: 'core' | 'sdk'): string {
  const index = `packages/${name}/src/index.ts`
  const { program, comments } = parseModule(index)
  const intro = comments.find((comment) => comment.value.startsWith('*'))
  let text = `# @countersign/${name}\n\n${made}${intro === undefined ? '' : `${prose(intro.value)}\n\n`}`
  const names = publicNames(index, program)
  const byFile = Map.groupBy(names, (one) => one.file)
  text += [...byFile]
    .map(
      ([file, members]) =>
        `- \`${moduleName(name, file)}\`: ${members.map((one) => `[${one.name}](#${one.name.toLowerCase()})`).join(' · ')}\n`,
    )
    .join('')
  for (const [file, members] of byFile) {
    const module = parseModule(file)
    for (const member of members) text += entry(module, member.name, moduleName(name, file))
  }
  return text
}

function moduleName(name: string, file: string): string {
  return `@countersign/${name}/${file.slice(`packages/${name}/src/`.length, -'.ts'.length)}`
}

/** The names that an index passes on, in its order, each with the file that declares it. */
function publicNames(index: string, program: Program): readonly PublicName[] {
  return passedOn(index, program).map(({ name, local, file }) => declaredIn(name, local, file))
}

/** `export { local as name } from 'file'`, and a name that was imported and is exported. */
function passedOn(file: string, program: Program): readonly (PublicName & { readonly local: string })[] {
  const imported = new Map<string, string>()
  for (const statement of program.body) {
    if (statement.type !== 'ImportDeclaration' || !statement.source.value.startsWith('.')) continue
    for (const { local } of statement.specifiers) imported.set(local.name, statement.source.value)
  }
  return program.body.flatMap((statement) => {
    if (statement.type !== 'ExportNamedDeclaration') return []
    return statement.specifiers.flatMap((specifier) => {
      const local = wordOf(specifier.local)
      const source = statement.source?.value ?? imported.get(local)
      return source === undefined ? [] : [{ name: wordOf(specifier.exported), local, file: join(dirname(file), source) }]
    })
  })
}

function wordOf(name: { readonly name: string } | { readonly value: string }): string {
  return 'name' in name ? name.name : name.value
}

function declaredIn(name: string, local: string, file: string): PublicName {
  const { program } = parseModule(file)
  const further = passedOn(file, program).find((one) => one.name === local)
  return further === undefined ? { name, file } : declaredIn(name, further.local, further.file)
}

function entry(module: Module, name: string, from: string): string {
  const statement = module.program.body.find((one) => declares(one, name))
  if (statement === undefined) throw new CountersignError('internal', `${from} does not declare ${name}`)
  const doc = module.comments.findLast(
    (comment) => comment.end <= statement.start && module.text.slice(comment.end, statement.start).trim() === '',
  )
  const described = doc?.value.startsWith('*') === true ? `${prose(doc.value)}\n\n` : ''
  return `\n## ${name}\n\n\`${from}\`\n\n${described.replace('\n@example\n', '\nExample:\n\n')}\`\`\`typescript\n${signature(module.text, statement)}\n\`\`\`\n`
}

function declares(statement: Statement, name: string): boolean {
  if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) return false
  const { declaration } = statement
  if (declaration.type === 'VariableDeclaration')
    return declaration.declarations.some(({ id }) => id.type === 'Identifier' && id.name === name)
  return 'id' in declaration && declaration.id !== null && 'name' in declaration.id && declaration.id.name === name
}

/** A declaration without bodies and initial values. */
function signature(text: string, statement: Statement): string {
  if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) return ''
  const { declaration } = statement
  const until = (end: number): string => text.slice(statement.start, end).trimEnd()
  if (declaration.type === 'FunctionDeclaration' && declaration.body !== null) return until(declaration.body.start)
  if (declaration.type === 'VariableDeclaration') return until(declaration.declarations[0]?.id.end ?? statement.end)
  if (declaration.type !== 'ClassDeclaration') return until(statement.end)
  const members = declaration.body.body.map((member) => {
    const end = member.type === 'MethodDefinition' && member.value.body !== null ? member.value.body.start : member.end
    return `  ${text.slice(member.start, end).trimEnd()}`
  })
  return `${until(declaration.body.start)} {\n${members.join('\n')}\n}`
}

/** The words of a TSDoc comment. Fences become `typescript`, since a test compiles what is fenced as `ts`. */
function prose(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trimEnd())
    .join('\n')
    .replace(/^\*/, '')
    .replaceAll(/\{@link ([^}]+)\}/g, '`$1`')
    .replaceAll('```ts\n', '```typescript\n')
    .trim()
}

if (import.meta.main) {
  for (const [path, text] of await referencePages()) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    process.stdout.write(`${path}\n`)
  }
}
