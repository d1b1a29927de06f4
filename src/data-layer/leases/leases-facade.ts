/** `warp.leases`, which is there before anything loads. */
import { asError } from '../../../crdt/warp-error.ts'
import type { Leases } from './lease-types.ts'

/** `find` throws what a call says where there is nothing that leases could be about. */
export function leasesOf(find: (call: keyof Leases) => Leases): Leases {
  const asked = <T>(call: keyof Leases, ask: (leases: Leases) => Promise<T>): Promise<T> => {
    try {
      return ask(find(call))
    } catch (error) {
      return Promise.reject(asError(error))
    }
  }
  return {
    grant: (options) => asked('grant', (leases) => leases.grant(options)),
    attach: (lease, target, options) => asked('attach', (leases) => leases.attach(lease, target, options)),
    renew: (lease, options) => asked('renew', (leases) => leases.renew(lease, options)),
    revoke: (lease, options) => asked('revoke', (leases) => leases.revoke(lease, options)),
    list: () => find('list').list(),
  }
}
