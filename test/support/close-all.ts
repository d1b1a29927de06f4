/** Closes replicas on virtual time: each waits until another one has heard that it goes. */
import type { VirtualEnv } from '../../testing/world/virtual-env.ts'

export async function closeAll(env: VirtualEnv, replicas: Iterable<{ close(): Promise<void> }>): Promise<void> {
  const closing = Promise.all([...replicas].map((replica) => replica.close()))
  await env.advance(5000)
  await closing
}
