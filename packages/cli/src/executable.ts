/** The single-file executable, as a value: whoever evaluates it decides when it runs, and what is kept of the compiled code. */
export { runCommandLine } from './process.ts'
export { run } from './run.ts'
