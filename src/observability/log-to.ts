/**
 * An observer that writes each event to a logger: pino's shape (fields first, then the message), or
 * console's (the message first), which winston has as well. How serious an event is stands in
 * `event-levels.ts`. Events carry no values, and neither does what is written.
 */
import { checkOptions, closest, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { shownKind } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { WarpEvent } from '../api/public.ts'
import { EVENT_LEVELS, type EventLevel } from './event-levels.ts'

/** What is called of a logger. */
export interface EventLogger {
  error(first: unknown, second?: unknown): void
  warn(first: unknown, second?: unknown): void
  info(first: unknown, second?: unknown): void
  debug(first: unknown, second?: unknown): void
}

export interface LogToOptions {
  /**
   * `'pino'`: `logger.info(fields, message)`. `'console'`: `logger.info(message, fields)`. Default:
   * what the logger looks like: pino and bunyan are known by their `child` and `bindings` or
   * `fields`, every other one is taken for console's kind.
   */
  readonly style?: 'pino' | 'console'
  /** Other levels than the usual ones, by kind of event; `'silent'` leaves the kind out. */
  readonly levels?: Readonly<Partial<Record<WarpEvent['kind'], EventLevel | 'silent'>>>
  /** Added to the fields of every line: which engine it is, say. */
  readonly fields?: Readonly<Record<string, unknown>>
}

const OPTIONS = optionNames<LogToOptions>({ style: true, levels: true, fields: true })
const METHODS = ['error', 'warn', 'info', 'debug'] as const satisfies readonly EventLevel[]
const LEVELS: readonly string[] = [...METHODS, 'silent']
const STYLES: readonly unknown[] = [undefined, 'pino', 'console']

/**
 * For `openWarp({ observe })`. Throws `WARP_E_CONFIG`.
 *
 *     const warp = await openWarp({ keys, observe: logTo(pino(), { fields: { engine: 'sessions' } }) })
 */
export function logTo(logger: EventLogger, options: LogToOptions = {}): (event: WarpEvent) => void {
  checkLogger(logger)
  checkOptions('logTo', options, OPTIONS)
  const { style, levels = {}, fields: own = {} } = options
  if (!STYLES.includes(style)) throw refusedOption('logTo', 'style', style, "give 'pino' or 'console'")
  checkOptions('logTo: levels', levels, Object.keys(EVENT_LEVELS))
  for (const [kind, level] of Object.entries(levels)) checkLevel(kind, level)
  if (typeof own !== 'object' || own === null) throw refusedOption('logTo', 'fields', own, 'give an object')
  const isPino = (style ?? styleOf(logger)) === 'pino'
  return ({ kind, ...fields }) => {
    // A transport of a user's own may report what is not listed.
    const level = levels[kind] ?? (EVENT_LEVELS as Partial<Record<string, EventLevel>>)[kind] ?? 'info'
    if (level === 'silent') return
    const message = `warp: ${kind}`
    if (isPino) logger[level]({ ...own, event: kind, ...withErr(fields) }, message)
    else logger[level](message, { ...own, event: kind, ...fields })
  }
}

/** Loggers of pino's kind write the stack of an error only under this name. */
function withErr(event: object): object {
  const { error, ...fields } = event as { readonly error?: unknown }
  return error === undefined ? fields : { ...fields, err: error }
}

function styleOf(logger: object): 'pino' | 'console' {
  const { child, bindings, fields } = logger as Readonly<Record<string, unknown>>
  const isPino = typeof child === 'function' && (typeof bindings === 'function' || typeof fields === 'object')
  return isPino ? 'pino' : 'console'
}

function checkLogger(logger: unknown): void {
  const has = (method: string): boolean => typeof (logger as Readonly<Record<string, unknown>>)[method] === 'function'
  const isObject = (typeof logger === 'object' && logger !== null) || typeof logger === 'function'
  const missing = isObject ? METHODS.find((method) => !has(method)) : METHODS[0]
  if (missing === undefined) return
  const problem = isObject ? `it has no ${missing}()` : `got ${shownKind(logger)}`
  throw new WarpError(
    'WARP_E_CONFIG',
    `logTo takes a logger with ${METHODS.join(', ')}, and ${problem}; give console, or pino()`,
  )
}

function checkLevel(kind: string, level: unknown): void {
  if (typeof level === 'string' && LEVELS.includes(level)) return
  const meant = typeof level === 'string' ? closest(level, LEVELS) : undefined
  const remedy = meant === undefined ? `give one of ${LEVELS.join(', ')}` : `did you mean '${meant}'?`
  throw refusedOption('logTo', `levels['${kind}']`, level, remedy)
}
