/**
 * The control protocol: lines of JSON over a local socket, each way. Whoever connects is greeted, and asks:
 *
 *     greeting = {"warp":"control","protocol":1,"version":"0.1.0","replica":"...","data":"/path"}
 *     asker    = {"id":1,"ask":"keys","with":{"pattern":"*"}}     a question (question.ts), under a number that is free
 *              | {"id":1,"item":...} | {"id":1,"end":true}        what the question takes while it is answered
 *              | {"id":1,"cancel":true}                           the rest is not wanted
 *     answerer = {"id":1,"item":...}                              as many as there are
 *              | {"id":1,"end":true} | {"id":1,"error":{"code":"...","message":"...","details":{...}}}     the last word
 *              | {"id":null,"error":...}                          to what is no line of this protocol
 *
 * Back-pressure is the socket's: who does not read is not written to, and whose items are not taken is not read from. So of several
 * answers on one connection a slow one holds up the others; connections are cheap.
 */
import type { Socket } from 'node:net'
import { WarpError, type WarpErrorCode } from '../../crdt/warp-error.ts'
import { failureOf } from '../../bin/cli/program/failure.ts'
import type { Json } from '../../src/control/tagged-json.ts'

/** Raised when something is said that earlier versions would misunderstand. */
export const PROTOCOL = 1

/** Bytes of a line from an asker. The largest value, 1 MiB, is a third of it if every character needs an escape. */
export const QUESTION_BYTES_MAX: number = 8 * 1024 * 1024

/** Bytes of a line to an asker: an explanation may list many operations. */
export const ANSWER_BYTES_MAX: number = 256 * 1024 * 1024

export interface Greeting {
  readonly warp: 'control'
  readonly protocol: number
  readonly version: string
  readonly replica: string
  readonly data: string
}

export interface ErrorJson {
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, Json>>
}

export type AskerLine =
  | { readonly id: number; readonly ask: string; readonly with: unknown }
  | { readonly id: number; readonly item: Json }
  | { readonly id: number; readonly end: true }
  | { readonly id: number; readonly cancel: true }

export type AnswererLine =
  | { readonly id: number; readonly item: unknown }
  | { readonly id: number; readonly end: true }
  | { readonly id: number | null; readonly error: ErrorJson }

/** `undefined` for anything else. */
export function askerLine(json: unknown): AskerLine | undefined {
  if (typeof json !== 'object' || json === null || !('id' in json) || !Number.isSafeInteger(json.id)) return undefined
  const id = json.id as number // checked in the line above
  if ('ask' in json)
    return typeof json.ask === 'string' ? { id, ask: json.ask, with: 'with' in json ? json.with : {} } : undefined
  if ('item' in json) return { id, item: json.item as Json } // it came as JSON
  if ('cancel' in json) return { id, cancel: true }
  return 'end' in json ? { id, end: true } : undefined
}

export function errorJson(error: unknown): ErrorJson {
  const { code, message, details } = failureOf(error)
  return details === undefined ? { code, message } : { code, message, details }
}

/** The error that the other side met. */
export function errorOf({ code, message, details }: ErrorJson): Error {
  if (!code.startsWith('WARP_E_')) return Object.assign(new Error(message), { code })
  // Details came from a WarpError, whose details are scalars.
  const scalars = details as Readonly<Record<string, string | number | boolean>> | undefined
  return new WarpError(code as WarpErrorCode, message, scalars === undefined ? {} : { details: scalars })
}

/** Waits while the other side is slow. Rejects if the line is too long, or the socket is closed. */
export async function sendLine(socket: Socket, line: object, bytesMax: number): Promise<void> {
  const text = `${JSON.stringify(line)}\n`
  if (Buffer.byteLength(text) > bytesMax) {
    throw new WarpError(
      'WARP_E_LIMIT',
      `a line of ${text.length} characters for the control socket, which takes ${bytesMax} bytes`,
    )
  }
  if (socket.destroyed) throw closedEarly()
  if (!socket.write(text)) await drained(socket)
}

export function closedEarly(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'the control connection ended before the answer did: the replica has stopped')
}

/** Many may wait for one socket. */
const DRAINING = new WeakMap<Socket, Promise<void>>()

function drained(socket: Socket): Promise<void> {
  const known = DRAINING.get(socket)
  if (known !== undefined) return known
  const waiting = untilDrained(socket).finally(() => DRAINING.delete(socket))
  DRAINING.set(socket, waiting)
  return waiting
}

function untilDrained(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off('drain', onDrain).off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onDrain = (): void => settle()
    const onClose = (): void => settle(closedEarly())
    socket.on('drain', onDrain).on('close', onClose)
  })
}
