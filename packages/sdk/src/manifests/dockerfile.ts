/** Images in Dockerfiles: what stages are built from, what files are copied or mounted from, and the frontend that reads the file. */
import type { Collector, FoundMention } from './collector.ts'
import { type Instruction, readDockerfileLines } from './dockerfile-lines.ts'
import { builderFlags, skipFlags, type Word, wordsOf } from './dockerfile-words.ts'
import { mountSource } from './mount.ts'
import { type Given, maxMentions } from './model.ts'
import { beyondLimit, malformedAt, type ManifestText } from './text-place.ts'
import { expand, wholeVariable } from './variables.ts'

type Argument = { readonly value: string; readonly start: number; readonly end: number }
type Stage = { readonly name: string | undefined; readonly parent: number | undefined; readonly mention: FoundMention | undefined }
type Reading = {
  readonly source: ManifestText
  readonly given: Given
  readonly escape: string
  readonly defaults: Map<string, Argument>
  readonly stages: Stage[]
  readonly uses: { readonly mention: FoundMention; readonly stage: number }[]
}

/** Finds them. Throws `file_malformed`. */
export function findInDockerfile(source: ManifestText, collect: Collector, given: Given): void {
  const { escape, syntax, instructions } = readDockerfileLines(source)
  const reading: Reading = { source, given, escape, defaults: new Map(), stages: [], uses: [] }
  if (syntax !== undefined) collect.add({ text: syntax.text, start: syntax.start, end: syntax.start + syntax.text.length, path: 'syntax' })
  for (const instruction of instructions) readInstruction(reading, instruction)
  const base = finalBase(reading.stages)
  for (const { mention } of reading.stages)
    if (mention !== undefined) collect.add(mention === base ? { ...mention, finalBase: true } : mention)
  for (const use of reading.uses) collect.add(stageOrImage(reading.stages, use))
}

/** The image at the root of the last stage; stages are built from earlier ones. */
function finalBase(stages: readonly Stage[]): FoundMention | undefined {
  let stage = stages.at(-1)
  while (stage?.parent !== undefined) stage = stages[stage.parent]
  return stage?.mention
}

function readInstruction(reading: Reading, instruction: Instruction): void {
  const { keyword, rest, offsetOf } = instruction
  // Hostile: each stage and each use is looked up among all stages.
  if (reading.stages.length > maxMentions) throw beyondLimit(reading.source, 'it names too many images', `at most ${maxMentions}`)
  switch (keyword) {
    case 'arg':
      // Only what stands before the first stage can be in a FROM.
      if (reading.stages.length === 0) readArguments(reading, instruction)
      break
    case 'from':
      reading.stages.push(readFrom(reading, instruction))
      break
    case 'copy':
    case 'add':
      for (const { name, value, at, end } of builderFlags(rest))
        if (name === 'from') use(reading, value, offsetOf(at), offsetOf(end), `${keyword.toUpperCase()} --from`)
      break
    case 'run':
      for (const flag of builderFlags(rest)) {
        const from = flag.name === 'mount' ? mountSource(flag.value) : undefined
        if (from === undefined) continue
        const inside = rest.slice(flag.at, flag.end).indexOf(from.text, from.near)
        const [start, end] = inside === -1 ? [flag.at, flag.end] : [flag.at + inside, flag.at + inside + from.text.length]
        use(reading, from.text, offsetOf(start), offsetOf(end - 1) + 1, 'RUN --mount')
      }
      break
    case 'onbuild': {
      const [, verb = '', blank = ''] = /^(\S+)(\s*)/.exec(rest) ?? []
      const skipped = verb.length + blank.length
      const inner = { keyword: verb.toLowerCase(), rest: rest.slice(skipped), offsetOf: (index: number) => offsetOf(index + skipped) }
      if (['copy', 'add', 'run'].includes(inner.keyword)) readInstruction(reading, inner)
      break
    }
    default:
  }
}

function valueOf({ given, defaults }: Reading, name: string): string | undefined {
  return given.variables?.get(name) ?? defaults.get(name)?.value ?? given.environment?.[name]
}

function readArguments(reading: Reading, { rest, offsetOf }: Instruction): void {
  for (const { text, at, end } of wordsOf(rest)) {
    const equals = text.indexOf('=')
    if (equals === -1) continue
    const value = expand(text.slice(equals + 1), { kind: 'dockerfile', escape: reading.escape }, (name) => valueOf(reading, name)).text
    const raw = rest.slice(at, end)
    const inside = value === undefined ? -1 : raw.indexOf(value, raw.indexOf('=') + 1)
    if (value === undefined) reading.defaults.delete(text.slice(0, equals))
    else
      reading.defaults.set(text.slice(0, equals), {
        value,
        start: inside === -1 ? -1 : offsetOf(at + inside),
        end: inside === -1 ? -1 : offsetOf(at + inside) + value.length,
      })
  }
}

function readFrom(reading: Reading, { rest, offsetOf }: Instruction): Stage {
  const [image, as, name, ...others] = wordsOf(rest, skipFlags(rest))
  if (image === undefined || others.length > 0 || (as !== undefined && (as.text.toLowerCase() !== 'as' || name === undefined)))
    throw malformedAt(reading.source, offsetOf(0), 'FROM takes an image, and AS with a name')
  const written = rest.slice(image.at, image.end)
  const place = placeOf(reading.source, offsetOf, image, written)
  const stage = { name: name?.text.toLowerCase() }
  const { text, missing } = expand(image.text, { kind: 'dockerfile', escape: reading.escape }, (variable) => valueOf(reading, variable))
  if (text === undefined || text === '') {
    const skip = text === '' ? 'it is empty' : `the variable ${missing ?? ''} has no value; give it with --build-arg`
    return { ...stage, parent: undefined, mention: { text: written, ...place, path: 'FROM', skip, unresolved: true } }
  }
  if (text === 'scratch') return { ...stage, parent: undefined, mention: { text, ...place, path: 'FROM', skip: 'scratch is no image' } }
  const parent = reading.stages.findLastIndex((earlier) => earlier.name === text.toLowerCase())
  if (parent !== -1) return { ...stage, parent, mention: { text, ...place, path: 'FROM', skip: `the build stage ${text}` } }
  return { ...stage, parent: undefined, mention: { text, ...(defaultPlace(reading, image.text, text) ?? place), path: 'FROM' } }
}

/** `FROM $BASE`: what would be replaced is the default of the argument. */
function defaultPlace(reading: Reading, written: string, text: string): { start: number; end: number } | undefined {
  const variable = wholeVariable(written)
  const found = variable === undefined || reading.given.variables?.has(variable) === true ? undefined : reading.defaults.get(variable)
  return found === undefined || found.start === -1 || found.value !== text ? undefined : { start: found.start, end: found.end }
}

function placeOf({ text }: ManifestText, offsetOf: Instruction['offsetOf'], word: Word, written: string): { start: number; end: number } {
  const start = offsetOf(word.at)
  const end = offsetOf(word.end - 1) + 1
  const quoted = word.text.length === written.length - 2 && text.slice(start + 1, end - 1) === word.text
  return quoted ? { start: start + 1, end: end - 1 } : { start, end }
}

function use({ stages, uses, source }: Reading, text: string, start: number, end: number, path: string): void {
  if (uses.length > maxMentions) throw beyondLimit(source, 'it names too many images', `at most ${maxMentions}`)
  const quoted = source.text.slice(start + 1, end - 1) === text
  uses.push({ mention: { text, start: quoted ? start + 1 : start, end: quoted ? end - 1 : end, path }, stage: stages.length })
}

/** A stage by name or number, or else an image. Builders do not agree about the name of a later stage. */
function stageOrImage(stages: readonly Stage[], { mention, stage }: Reading['uses'][number]): FoundMention {
  const { text } = mention
  if (text.includes('$') || text === '') return { ...mention, skip: 'builders expand no variable here', unresolved: true }
  if (text === 'scratch') return { ...mention, skip: 'scratch is no image' }
  if (/^\d+$/.test(text))
    return mention.path === 'RUN --mount'
      ? { ...mention, skip: `builders differ in whether ${text} is a build stage or an image`, unresolved: true }
      : { ...mention, skip: `the build stage ${text}` }
  const found = stages.findIndex(({ name }) => name === text.toLowerCase())
  if (found === -1) return mention
  if (found < stage) return { ...mention, skip: `the build stage ${text}` }
  return { ...mention, skip: `a later build stage is called ${text} too, and builders differ in which they take`, unresolved: true }
}
