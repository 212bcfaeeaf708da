/** Progress of long work: one line on the terminal that rewrites itself; nothing on a pipe. */
import type { Terminal } from './terminal.ts'

/** Shows how far long work has come. */
export type Progress = {
  readonly advance: (by: number) => void
  readonly end: () => void
}

const afterMs = 700
const everyMs = 120

/** Begins to show progress of `label` toward `total`, in `unit`s; the line appears only when the work takes a while. */
export function beginProgress(terminal: Terminal, label: string, total: number | undefined, unit: 'bytes' | 'images'): Progress {
  if (!terminal.errIsTerminal) return { advance: () => undefined, end: () => undefined }
  const began = performance.now()
  let done = 0
  let shownAt = 0
  const show = (now: number): void => {
    shownAt = now
    terminal.err(`\r\u001b[K${label}  ${amount(done, unit)}${total === undefined ? '' : ` of ${amount(total, unit)}`}`)
  }
  return {
    advance: (by) => {
      done += by
      const now = performance.now()
      if (now - began > afterMs && now - shownAt > everyMs) show(now)
    },
    end: () => {
      if (shownAt > 0) terminal.err('\r\u001b[K')
    },
  }
}

function amount(count: number, unit: 'bytes' | 'images'): string {
  return unit === 'images' ? `${count} images` : `${(count / 1_048_576).toFixed(1)} MiB`
}
