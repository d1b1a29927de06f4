/**
 * An engine that stays open while a bench opens and closes others, as the engine of a service does.
 * V8 forgets the hidden classes of objects of which none is left, and gives the next ones new
 * classes, for which everything that is hot has to be compiled anew: benches of closed engines
 * would measure that.
 */
import { openWarp } from '../../adapters/node/index.ts'
import { register } from '../../crdt/index.ts'

export async function keepEngineOpen(): Promise<{ close(): Promise<void> }> {
  const warp = await openWarp({ keys: { 'kept:*': register<number>() } })
  const handle = warp.key('kept:1')
  await handle.set(1)
  handle.peek()
  warp.watch('kept:*')
  return warp
}
