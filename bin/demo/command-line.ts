/** What the demo may be asked, and how it says that it was asked something else. */
import { parseArgs } from 'node:util'
import { DOCUMENT_KINDS, type DocumentKind } from './authors/document-kinds.ts'
import { UsageError } from './usage-error.ts'

export const HELP: string = `Usage: npm run demo [-- options]
       warp demo [options]

Without options: three replicas, each a process with a log on disk, in one mesh. One is cut off while both
sides write, one is killed and started again; then the network is healed.

  --trace FILE       replays a concurrent editing history (JSON, gzipped if FILE ends in .gz), each
                     author in a process of their own, and compares the outcome with the history's own
  --strategy NAME    what keeps the document of --trace: ${DOCUMENT_KINDS.join(' or ')} (default ${DOCUMENT_KINDS[0]});
                     yjs needs the package of that name
  --help             shows this

Exit code: 0 if all replicas converged and nothing acknowledged was lost, 1 if not, 2 if the demo cannot do
what was asked.`

export type Request =
  | { readonly kind: 'help' }
  | { readonly kind: 'scenario' }
  | { readonly kind: 'trace'; readonly path: string; readonly strategy: DocumentKind }

/** Throws {@link UsageError}. */
export function parseRequest(parameters: readonly string[]): Request {
  const { help, trace, strategy } = optionsOf(parameters)
  if (help === true) return { kind: 'help' }
  if (trace === undefined) {
    if (strategy !== undefined) throw new UsageError('--strategy goes with --trace FILE')
    return { kind: 'scenario' }
  }
  const [fallback] = DOCUMENT_KINDS
  const known = DOCUMENT_KINDS.find((kind) => kind === (strategy ?? fallback))
  if (known === undefined) {
    throw new UsageError(`--strategy is '${strategy}'; it may be ${DOCUMENT_KINDS.join(' or ')}`)
  }
  return { kind: 'trace', path: trace, strategy: known }
}

interface Options {
  readonly help?: boolean | undefined
  readonly trace?: string | undefined
  readonly strategy?: string | undefined
}

function optionsOf(parameters: readonly string[]): Options {
  try {
    const options = { help: { type: 'boolean' }, trace: { type: 'string' }, strategy: { type: 'string' } } as const
    return parseArgs({ args: [...parameters], options }).values
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}
