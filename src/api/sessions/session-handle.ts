/** A handle to a key within a session: those of its methods that can wait for what the session has seen. */
import type { Handle } from '../handle.ts'
import type { WriteOptions } from '../../store/write-road/receipt.ts'

type Method = (...parameters: unknown[]) => Promise<unknown>
type Through = (call: () => Promise<unknown>) => Promise<unknown>

export function sessionHandle(handle: Handle, through: Through, get: () => Promise<unknown>): object {
  const { verbs, queries } = handle.keyspace.strategy as { readonly verbs: object; readonly queries?: object }
  const names = ['delete', 'touch', ...Object.keys(verbs), ...Object.keys(queries ?? {})]
  const methods = names.map((name) => {
    const method = (...parameters: unknown[]): Promise<unknown> =>
      through(() => (handle as unknown as Readonly<Record<string, Method>>)[name]!(...parameters))
    return [name, method] as const
  })
  return {
    key: handle.key,
    get,
    with: (options: WriteOptions) => sessionHandle(handle.with(options), through, get),
    ...Object.fromEntries(methods),
  }
}
