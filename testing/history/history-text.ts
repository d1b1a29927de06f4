/**
 * Histories as JSON lines: one event per line in the order in which they happened, behind an
 * optional header line. The grammar, field by field, is in docs/histories.md. Whoever reads a line
 * that is not one is told its number and what is wrong with it, never its content.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { pairCalls } from './calls.ts'
import type { EventType, History, HistoryEvent, HistoryHeader } from './history.ts'
import { type Json, isTooDeep } from './json.ts'

/** The version that a header line carries in its field `history`. */
export const HISTORY_VERSION = 1

const TYPES: readonly string[] = ['invoke', 'ok', 'fail', 'info'] satisfies EventType[]

/**
 * Reads a history. Throws `WARP_E_PROTOCOL` with the number of the line (`details.line`, from 1)
 * for what is not JSON, not an event, or an event that cannot come there: a return without an
 * invocation, two calls of one process at once.
 */
export function parseHistory(text: string): History {
  const events: HistoryEvent[] = []
  const lineOf: number[] = []
  let header: HistoryHeader | undefined
  text.split('\n').forEach((content, i) => {
    if (content.trim() === '') return
    const fields = parseLine(content, i + 1)
    if ('history' in fields && header === undefined && events.length === 0) header = checkedHeader(fields, i + 1)
    else {
      events.push(checkedEvent(fields, i + 1))
      lineOf.push(i + 1)
    }
  })
  checkPairs(events, lineOf)
  return header === undefined ? { events } : { header, events }
}

/** Writes a history, the header first if there is one. What was written is read back equal. */
export function formatHistory(history: History): string {
  const header = history.header === undefined ? [] : [{ history: HISTORY_VERSION, ...history.header }]
  return [...header, ...history.events].map((line) => `${JSON.stringify(line)}\n`).join('')
}

function refuse(line: number, what: string): never {
  throw new WarpError('WARP_E_PROTOCOL', `line ${line} of the history: ${what}`, { details: { line } })
}

function parseLine(content: string, line: number): Readonly<Record<string, Json>> {
  let value: Json
  try {
    value = JSON.parse(content) as Json
  } catch {
    return refuse(line, 'not JSON; write one JSON object per line') // the parser's own message shows the content
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return refuse(line, 'not an object; an event is {"type", "process", "f", ...}')
  if (isTooDeep(value)) return refuse(line, 'nested too deeply')
  return value as Readonly<Record<string, Json>>
}

function checkedHeader(fields: Readonly<Record<string, Json>>, line: number): HistoryHeader {
  const { history, ...header } = fields
  if (history !== HISTORY_VERSION) return refuse(line, `a header of another version than ${HISTORY_VERSION}`)
  return header
}

function checkedEvent(fields: Readonly<Record<string, Json>>, line: number): HistoryEvent {
  const { type, process: caller, f, value } = fields
  if (!isEventType(type)) return refuse(line, `"type" is none of ${TYPES.join(', ')}`)
  if (typeof caller !== 'string' && !Number.isSafeInteger(caller))
    return refuse(line, '"process" is no integer and no text')
  if (typeof f !== 'string' || f === '') return refuse(line, '"f", the name of the call, is missing or no text')
  const event = { type, process: caller as number | string, f } // checked above
  return { ...event, ...keyOf(fields, line), ...(value === undefined ? {} : { value }), ...timeOf(fields, line) }
}

function isEventType(type: Json | undefined): type is EventType {
  return typeof type === 'string' && TYPES.includes(type)
}

function keyOf({ key }: Readonly<Record<string, Json>>, line: number): { readonly key?: string } {
  if (key === undefined) return {}
  return typeof key === 'string' ? { key } : refuse(line, '"key" is no text')
}

function timeOf({ time }: Readonly<Record<string, Json>>, line: number): { readonly time?: number } {
  if (time === undefined) return {}
  return typeof time === 'number' ? { time } : refuse(line, '"time" is no number')
}

/** The pairs are made to see that they can be; the error gets the line of the event. */
function checkPairs(events: readonly HistoryEvent[], lineOf: readonly number[]): void {
  try {
    pairCalls(events, (i) => `line ${lineOf[i] ?? 0} of the history`)
  } catch (error) {
    if (!(error instanceof WarpError)) throw error
    const line = lineOf[Number(error.details['event'])] ?? 0
    throw new WarpError(error.code, error.message, { details: { ...error.details, line } })
  }
}
