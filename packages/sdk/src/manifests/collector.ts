/** Gathers mentions: each place once, in the order of the text, and not more than the bound. */
import { maxMentions, type ImageMention } from './model.ts'
import { beyondLimit, type ManifestText } from './text-place.ts'

/** A mention without what the source knows. */
export type FoundMention = Omit<ImageMention, 'file' | 'line' | 'column'>

/** Takes mentions and gives them back sorted. */
export type Collector = { readonly add: (mention: FoundMention) => void; readonly all: () => readonly ImageMention[] }

/** A collector for one file. `add` throws `limit_exceeded` beyond {@link maxMentions}. */
export function collector(source: ManifestText): Collector {
  // An alias is one place that is read many times, with one meaning or with several: each is kept.
  const found = new Map<string, ImageMention>()
  return {
    add: (mention) => {
      if (found.size >= maxMentions) throw beyondLimit(source, 'it names too many images', `at most ${maxMentions}`)
      const key = `${mention.start}:${mention.text}:${mention.skip ?? ''}`
      if (!found.has(key)) found.set(key, { ...mention, file: source.file, ...source.place(mention.start) })
    },
    all: () => [...found.values()].toSorted((a, b) => a.start - b.start),
  }
}
