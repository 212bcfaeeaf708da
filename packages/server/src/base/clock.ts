/** Time comes in as an argument: nothing in the server reads the wall clock but the process that it runs in. */

/** Unix milliseconds, now. */
export type Clock = () => number
