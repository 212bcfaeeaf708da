/** Progress of long work: one line on the terminal that rewrites itself; nothing on a pipe. */
import type { Terminal } from './terminal.ts'

/** Shows how far long work has come. */
export type Progress = {
  readonly advance: (by: number) => void
  /** Makes room for other output; the line comes back with the next advance. */
  readonly clear: () => void
  readonly end: () => void
}

type Unit = 'bytes' | 'images' | 'artifacts' | 'entries'

const afterMs = 700
const everyMs = 120

/** Begins to show progress of `label` toward `total`, in `unit`s; the line appears only when the work takes a while. */
export function beginProgress(terminal: Terminal, label: string, total: number | undefined, unit: Unit): Progress {
  if (!terminal.errIsTerminal) return { advance: () => undefined, clear: () => undefined, end: () => undefined }
  const began = performance.now()
  let done = 0
  let shownAt = 0
  let visible = false
  const clear = (): void => {
    if (visible) terminal.err('\r\u001b[K')
    visible = false
  }
  const show = (now: number): void => {
    shownAt = now
    terminal.err(
      `\r\u001b[K${label}  ${amount(done, unit)}${total === undefined ? '' : ` of ${amount(total, unit)}${left(now - began, done, total)}`}`,
    )
    visible = true
  }
  return {
    advance: (by) => {
      done += by
      const now = performance.now()
      if (now - began > afterMs && now - shownAt > everyMs) show(now)
    },
    clear,
    end: clear,
  }
}

/** How long the rest takes if it goes on like this. */
function left(elapsedMs: number, done: number, total: number): string {
  if (done <= 0 || done >= total) return ''
  const seconds = Math.ceil(((elapsedMs / done) * (total - done)) / 1000)
  const text = seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
  return `, about ${text} left`
}

function amount(count: number, unit: Unit): string {
  return unit !== 'bytes' ? `${count} ${unit}` : `${(count / 1_048_576).toFixed(1)} MiB`
}
