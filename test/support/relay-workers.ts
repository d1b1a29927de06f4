import type { FederatedReplica, Federation } from './federation.ts'

/** Who carries from one region into another, by what the relays have said. */
export function workers(world: Federation, from: string, to: string): FederatedReplica[] {
  return world.all.filter(({ events, sits }) => {
    if (sits.length < 2) return false
    const last = events.filter((event) => 'from' in event && 'to' in event && event.from === from && event.to === to)
    return last.at(-1)?.kind === 'relay:works'
  })
}
