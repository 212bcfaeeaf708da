/** The expressions of `ImageValidatingPolicy` that we write and know again. */
import { celText } from './cel.ts'

const containers = ['containers', 'initContainers', 'ephemeralContainers'] as const

/** That every image fits a pattern: Kyverno looks at no image that its globs do not match, so that none would be refused for its name. */
export function restriction(pattern: string): string {
  return containers.map((kind) => `images.${kind}.all(image, image.matches(${celText(pattern)}))`).join(' && ')
}

/** Whether an expression, or one of its parts, is such a restriction. */
export function restrictionOf(expression: string): boolean {
  const one = String.raw`images\.(?:containers|initContainers|ephemeralContainers)\.all\(image, image\.matches\("(?:[^"\\]|\\.)*"\)\)`
  return new RegExp(`^${one}(?: && ${one})*$`).test(expression)
}

/** That a call gives what is demanded, for every image in every kind of container. */
export function forEveryImage(call: string, test: string): string {
  return containers.map((kind) => `images.${kind}.map(image, ${call}).all(e, ${test})`).join(' && ')
}
