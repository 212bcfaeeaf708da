/** What contract suites have in common: sentences, each one test, over whatever implements a port. Knows no test framework. */

/** One sentence of a contract: what proves it, or why it does not apply. */
export type PortCase = { readonly name: string; readonly run: () => Promise<void>; readonly skipped: string | undefined }

/** An implementation under test: opened anew for each sentence. */
export type PortSubject<Port, Sentence extends string> = {
  readonly open: () => Promise<{ readonly port: Port; readonly close?: () => Promise<void> | void }>
  /** Sentences that do not apply, each with the reason. */
  readonly skip?: readonly { readonly test: Sentence; readonly reason: string }[]
}

/** The sentences of a contract as cases. */
export function portCases<Port, Sentence extends string>(
  subject: PortSubject<Port, Sentence>,
  sentences: Readonly<Record<Sentence, (port: Port) => Promise<void>>>,
): readonly PortCase[] {
  return (Object.keys(sentences) as Sentence[]).map((name) => ({
    name,
    skipped: subject.skip?.find(({ test }) => test === name)?.reason,
    run: async () => {
      const { port, close } = await subject.open()
      try {
        await sentences[name](port)
      } finally {
        await close?.()
      }
    },
  }))
}

/** What `it` and `it.skip` of a test framework look like. */
type TestFunction = ((name: string, run: () => Promise<void>) => void) & { readonly skip: (name: string, run: () => Promise<void>) => void }

/** Registers cases as tests. */
export function registerCases(test: TestFunction, cases: readonly PortCase[]): void {
  for (const { name, run, skipped } of cases) {
    if (skipped === undefined) test(name, run)
    else test.skip(`${name} (${skipped})`, run)
  }
}
