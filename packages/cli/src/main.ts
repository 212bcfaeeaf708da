/** The command: everything of it is loaded as it is needed. */
import { runCommandLine } from './process.ts'

await runCommandLine(process.argv.slice(2))
