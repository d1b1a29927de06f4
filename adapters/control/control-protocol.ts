/**
 * The control protocol: HTTP over a Unix socket, JSON in, JSON out.
 *
 *     GET  /v1                     who answers, and the list of questions (`Hello`)
 *     GET  /v1/log?key=user:1      a question that changes nothing; its parameters are the query
 *     POST /v1/set                 one that does; its parameters are a body of JSON, or text for a question that takes input
 *
 * An answer is `application/json`, one line, or `application/x-ndjson`, one line per item, as they
 * come. A failure before the first item is a status and
 * `{"error":{"code":"WARP_E_...","message":"...","details":{...}}}`. A failure behind it is that
 * same line, and then the connection ends before the answer does, so that nobody takes the answer
 * for whole.
 */
import type { QuestionDescription } from '../../src/control/question.ts'

/**
 * The first part of every path. Another one when something is said that earlier versions would
 * misunderstand.
 */
export const ROOT = '/v1'

/**
 * Bytes of a body of JSON. The largest value, 1 MiB, is a third of it if every character needs an
 * escape.
 */
export const QUESTION_BYTES_MAX: number = 8 * 1024 * 1024

/** Bytes of a line of an answer: an explanation may list many operations. */
export const ANSWER_BYTES_MAX: number = 256 * 1024 * 1024

export const JSON_TYPE = 'application/json'
export const LINES_TYPE = 'application/x-ndjson'

export interface Hello {
  readonly warp: 'control'
  /** Of the package that answers. */
  readonly version: string
  readonly replica: string
  readonly name?: string
  /** The folder of the log; absent where it has none. */
  readonly data?: string
  readonly questions: readonly QuestionDescription[]
}

/** What opens the last line of an answer that failed on its way. No item begins like this. */
export const FAILURE_LINE_START = '{"error":{'
