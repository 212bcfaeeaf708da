/** Colours, where a person reads and wants them. */
import { styleText } from 'node:util'

/** Paints text, or leaves it alone. */
export type Paint = {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly dim: (text: string) => string
  readonly strong: (text: string) => string
}

/** The paints of a terminal with or without colour. */
export function paint(colour: boolean): Paint {
  const style = (format: 'green' | 'red' | 'dim' | 'bold') => (text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text
  return { good: style('green'), bad: style('red'), dim: style('dim'), strong: style('bold') }
}
