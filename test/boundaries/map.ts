/** The rooms and arrows that `docs/ARCHITECTURE.md` declares, read from its tables, and what a tree of files makes of them. */
import { isPublicDoor, localImports, roomOf, specifiers } from './imports.ts'

/** The map: rooms that exist, and for each room (or `package/*`) the rooms (or `package/*`) that it may import. */
export type ArchitectureMap = { readonly rooms: readonly string[]; readonly arrows: ReadonlyMap<string, readonly string[]> }

/** The rows of the first Markdown table whose header cells are these; code marks are taken off. */
export function tableRows(markdown: string, header: readonly string[]): string[][] {
  const lines = markdown.split('\n')
  const start = lines.findIndex((line) => cells(line).join('|') === header.join('|'))
  if (start === -1) return []
  const rest = lines.slice(start + 2)
  const end = rest.findIndex((line) => !line.startsWith('|'))
  return rest.slice(0, end === -1 ? rest.length : end).map(cells)
}

function cells(line: string): string[] {
  if (!line.startsWith('|')) return []
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.replaceAll('`', '').trim())
}

/** Reads the map from the text of `docs/ARCHITECTURE.md`. */
export function readMap(markdown: string): ArchitectureMap {
  const rooms = tableRows(markdown, ['Room', 'Subject']).flatMap((row) => row[0] ?? [])
  const arrows = new Map<string, string[]>()
  for (const [from, to] of tableRows(markdown, ['From', 'May import'])) {
    if (from === undefined || to === undefined) continue
    for (const source of list(from)) arrows.set(source, [...(arrows.get(source) ?? []), ...list(to)])
  }
  return { rooms, arrows }
}

function list(cell: string): string[] {
  return cell
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== '—')
}

/** Everything in a tree (path to text) that the map does not allow, as sentences. */
export function violations(map: ArchitectureMap, tree: ReadonlyMap<string, string>): string[] {
  const existing = new Set([...tree.keys()].map(roomOf).filter((room) => room !== undefined))
  const found = [
    ...[...existing].filter((room) => !map.rooms.includes(room)).map((room) => `room ${room} is not in the table`),
    ...map.rooms.filter((room) => !existing.has(room)).map((room) => `room ${room} is in the table and does not exist`),
    ...unknownNames(map),
  ]
  const followed = new Set<string>()
  for (const [path, text] of tree) {
    const from = roomOf(path)
    if (from === undefined) continue
    for (const target of localImports(path, text)) {
      const to = roomOf(target)
      followed.add(`${from} to ${to ?? ''}`)
      if (to === undefined) found.push(`${path} imports ${target}, which is in no room`)
      else if (isPublicDoor(target)) found.push(`${path} imports ${target}: the public door is for other people`)
      else if (isPublicDoor(path) ? !covers(`${from}/*`, to) : to !== from && !allowed(map, from, to))
        found.push(`${path} imports ${target}: no arrow from ${from} to ${to}`)
    }
    if (from.split('/')[0] === 'core') {
      found.push(
        ...specifiers(text)
          .filter((name) => name.startsWith('node:'))
          .map((name) => `${path} imports ${name}: core is pure`),
      )
    }
  }
  return [...found, ...unfollowed(map, followed)]
}

/** An arrow that nothing follows is an invitation; those of whole packages say what is allowed, not what is. */
function unfollowed(map: ArchitectureMap, followed: ReadonlySet<string>): string[] {
  const arrows = [...map.arrows].flatMap(([from, targets]) => targets.map((to) => ({ from, to })))
  return arrows
    .filter(({ from, to }) => !from.endsWith('/*') && !to.endsWith('/*') && map.rooms.includes(from) && map.rooms.includes(to))
    .map(({ from, to }) => `${from} to ${to}`)
    .filter((arrow) => !followed.has(arrow))
    .map((arrow) => `nothing follows the arrow from ${arrow}`)
}

function unknownNames(map: ArchitectureMap): string[] {
  const names = [...map.arrows].flatMap(([from, to]) => [from, ...to])
  const known = (name: string) => (name.endsWith('/*') ? map.rooms.some((room) => covers(name, room)) : map.rooms.includes(name))
  return [...new Set(names)].filter((name) => !known(name)).map((name) => `an arrow names ${name}, which is no room`)
}

function allowed(map: ArchitectureMap, from: string, to: string): boolean {
  return [...map.arrows].some(([source, targets]) => covers(source, from) && targets.some((target) => covers(target, to)))
}

/** `core/*` covers every room of core and its top; any other name covers itself alone. */
function covers(name: string, room: string): boolean {
  if (!name.endsWith('/*')) return name === room
  return room === name.slice(0, -2) || room.startsWith(name.slice(0, -1))
}
