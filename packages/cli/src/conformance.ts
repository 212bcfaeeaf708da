/** The executable `countersign-conformance`: one verification in the words of the Sigstore conformance suite (docs/cli_protocol.md there). */
import { runConformance } from './conformance/run.ts'

process.exitCode = await runConformance(process.argv.slice(2), { stderr: (line) => process.stderr.write(`${line}\n`), nowMs: Date.now() })
