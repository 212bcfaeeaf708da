/** Seeded mutations of real samples: the same seed gives the same mutants on every machine. */

/** A source of numbers that a seed repeats: xorshift128+, enough to choose mutations with, and no more. */
export type Random = {
  /** A whole number from 0 to `below` - 1; 0 when `below` is 0. */
  readonly below: (below: number) => number
}

/** Makes the source of numbers of a seed (32 bits). */
export function seeded(seed: number): Random {
  let [a, b, c, d] = [seed >>> 0, 0x9e3779b9, 0x243f6a88, 0xb7e15162]
  const next = () => {
    const t = (a ^ (a << 11)) >>> 0
    ;[a, b, c] = [b, c, d]
    d = (d ^ (d >>> 19) ^ t ^ (t >>> 8)) >>> 0
    return d
  }
  for (let warm = 0; warm < 16; warm++) next()
  return { below: (below) => (below <= 0 ? 0 : next() % below) }
}

const tokens = [
  'null',
  'true',
  '-1',
  '0',
  '1e999',
  '9007199254740993',
  '18446744073709551616',
  '""',
  '[]',
  '{}',
  '{"a":1,"a":2}',
  '"\\u0000"',
  '"\\ud800"',
  '\ufeff',
  '__proto__',
  '[[[[[[[[[[[[[[[[',
  '\n',
  '\r\n',
  '— ',
  '=',
  '//',
  '%2f',
  '../',
  '\u202e',
].map((token) => new TextEncoder().encode(token))

const lengths = [0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x88, 0xfe, 0xff]

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array

const mutations: readonly Mutation[] = [
  // One bit.
  (bytes, random) => changed(bytes, random.below(bytes.length), (byte) => byte ^ (1 << random.below(8))),
  // One byte, often one that means a length or a tag in DER.
  (bytes, random) => {
    const value = random.below(2) === 0 ? (lengths[random.below(lengths.length)] ?? 0) : random.below(256)
    return changed(bytes, random.below(bytes.length), () => value)
  },
  // One byte more or less.
  (bytes, random) => changed(bytes, random.below(bytes.length), (byte) => (byte + (random.below(2) === 0 ? 1 : 255)) & 0xff),
  // The end is cut off.
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  // A part is taken out.
  (bytes, random) => {
    const from = random.below(bytes.length)
    return joined(bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(Math.min(64, bytes.length - from))))
  },
  // A part stands twice.
  (bytes, random) => {
    const from = random.below(bytes.length)
    const to = from + 1 + random.below(Math.min(256, bytes.length - from))
    return joined(bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to))
  },
  // A part of another sample replaces as much of this one.
  (bytes, random, other) => {
    const from = random.below(bytes.length)
    const start = random.below(other.length)
    const part = other.subarray(start, start + 1 + random.below(Math.min(512, other.length - start)))
    return joined(bytes.subarray(0, from), part, bytes.subarray(from + part.length))
  },
  // Something that parsers trip over is put in.
  (bytes, random) => {
    const from = random.below(bytes.length + 1)
    return joined(bytes.subarray(0, from), tokens[random.below(tokens.length)] ?? bytes, bytes.subarray(from))
  },
  // The start of this and the end of another.
  (bytes, random, other) => joined(bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length))),
]

/** For JSON alone, where most blind mutations end at the first quote: a value gives way to another, and what is inside base64 changes. */
const jsonMutations: readonly Mutation[] = [
  (bytes, random, other) => exchanged(bytes, random, other),
  (bytes, random, other) => insideBase64(bytes, random, other),
  (bytes, random, other) => insideBase64(bytes, random, other),
]

/** A mutant of `sample`: one to four mutations, with parts of `other` where a mutation wants a second sample. */
export function mutant(sample: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const kinds = sample[0] === 0x7b && random.below(4) > 0 ? jsonMutations : mutations
  let bytes = sample
  for (let left = 1 + random.below(random.below(4) + 1); left > 0; left--) {
    bytes = (kinds[random.below(kinds.length)] as Mutation)(bytes, random, other)
  }
  return bytes
}

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const copy = new Uint8Array(bytes)
  if (copy.length > 0) copy[at] = change(copy[at] ?? 0)
  return copy
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Puts a string, number or word of another JSON text (or a trap) in the place of one of this text; other bytes stay as they are. */
function exchanged(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  const mine = scalars(bytes)
  const theirs = scalars(random.below(2) === 0 ? bytes : other)
  const place = mine[random.below(mine.length)]
  if (place === undefined) return bytes
  const from = theirs[random.below(theirs.length)]
  const trap = tokens[random.below(tokens.length)] ?? bytes
  const value = from === undefined || random.below(3) === 0 ? trap : from.bytes
  return joined(bytes.subarray(0, place.start), value, bytes.subarray(place.end))
}

/** Decodes a base64 string of a JSON text, mutates the bytes (JSON inside again as JSON), and encodes them as they were. */
function insideBase64(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  const places = scalars(bytes).filter((place) => place.base64)
  const place = places[random.below(places.length)]
  if (place === undefined) return exchanged(bytes, random, other)
  const inner = new Uint8Array(Buffer.from(Buffer.from(place.bytes).toString('latin1').slice(1, -1), 'base64'))
  const donors = scalars(other).filter((one) => one.base64)
  const donor = donors[random.below(donors.length)]
  const second =
    donor === undefined ? inner : new Uint8Array(Buffer.from(Buffer.from(donor.bytes).toString('latin1').slice(1, -1), 'base64'))
  const kinds = inner[0] === 0x7b && random.below(2) === 0 ? jsonMutations : mutations
  const changedInside = (kinds[random.below(kinds.length)] as Mutation)(inner, random, second)
  const encoded = Buffer.from(JSON.stringify(Buffer.from(changedInside).toString('base64')))
  return joined(bytes.subarray(0, place.start), encoded, bytes.subarray(place.end))
}

type Scalar = { readonly start: number; readonly end: number; readonly bytes: Uint8Array; readonly base64: boolean }

const found = new WeakMap<Uint8Array, readonly Scalar[]>()

/** Where the scalars of a JSON text are; nothing when the bytes do not start like one. Names of members are not among them. */
function scalars(bytes: Uint8Array): readonly Scalar[] {
  const known = found.get(bytes)
  if (known !== undefined) return known
  const list: Scalar[] = []
  if (bytes[0] === 0x7b || bytes[0] === 0x5b) {
    const text = Buffer.from(bytes).toString('latin1')
    for (const match of text.matchAll(/"[^"]{0,20000}"(?!\s*:)|-?\d{1,30}|true|false|null/g)) {
      const end = match.index + match[0].length
      list.push({ start: match.index, end, bytes: bytes.subarray(match.index, end), base64: /^"[A-Za-z0-9+/]{8,}={0,2}"$/.test(match[0]) })
    }
  }
  found.set(bytes, list)
  return list
}
