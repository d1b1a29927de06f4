import { freePorts } from '../../bin/demo/replicas/free-ports.ts'

/** Free for UDP and TCP on 127.0.0.1. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port as number
}
