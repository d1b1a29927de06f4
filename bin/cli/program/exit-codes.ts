/**
 * What scripts read. Documented in `warp --help` and docs/cli.md; `program.ts` prints this very
 * table.
 */
export const EXIT = {
  /** Done, and the answer is yes where there is one. */
  ok: 0,
  no: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_MEANINGS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.no, 'the answer is no: no such key, differences, damage found'],
  [EXIT.usage, 'the command line is wrong'],
  [EXIT.refused, 'the data or its configuration refuses (WARP_E_... says why), or warp itself failed'],
  [EXIT.unreachable, 'nobody can be reached: the folder is held and nobody listens, no network'],
  [EXIT.interrupted, 'interrupted (SIGINT); 143 if asked to end (SIGTERM), 129 if the terminal has gone (SIGHUP)'],
]
