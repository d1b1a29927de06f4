/** Refuses what is no port where one is asked for. */
import { refusedOption } from '../../crdt/checked-options.ts'
import type { OrderedLog } from './ordered-log.ts'
import type { Transport } from './transport.ts'

/** Throws `WARP_E_CONFIG` unless it is left out, or a list of transports. `what`: the call that takes them. */
export function checkTransports(what: string, option: string, transports: unknown): void {
  if (transports === undefined) return
  if (!Array.isArray(transports)) throw refusedOption(what, option, transports, 'give a list of transports')
  for (const [i, transport] of (transports as readonly unknown[]).entries()) {
    const remedy =
      typeof transport === 'function'
        ? `call it: ${transport.name}(...)`
        : isPortOfKind(transport, 'ordered')
          ? 'this is an ordered log; give it as order'
          : 'give a transport, such as meshTransport(...)'
    if (transport === undefined || isPortOfKind(transport, 'ordered'))
      throw refusedOption(what, `${option}[${i}]`, transport, remedy)
    checkMethods(what, `${option}[${i}]`, { value: transport, methods: ['open'], remedy })
  }
}

/** Whether it says that it is a port of that kind. */
export function isPortOfKind(value: unknown, kind: (Transport | OrderedLog)['kind']): boolean {
  return typeof value === 'object' && value !== null && (value as { readonly kind?: unknown }).kind === kind
}

export interface PortCheck {
  readonly value: unknown
  readonly methods: readonly string[]
  readonly remedy: string
}

/** Throws `WARP_E_CONFIG` unless it is left out, or has these methods. */
export function checkMethods(what: string, option: string, { value, methods, remedy }: PortCheck): void {
  if (value === undefined) return
  const has = (method: string): boolean => typeof (value as Readonly<Record<string, unknown>>)[method] === 'function'
  if (typeof value === 'object' && value !== null && methods.every(has)) return
  throw refusedOption(what, option, value, remedy)
}
