import { describe, expect, test } from 'vitest'
import { type WarpError, isWarpError } from '../../../crdt/warp-error.ts'
import { formatHistory, parseHistory } from '../../../testing/history/history-text.ts'

const READ = '{"type":"invoke","process":0,"f":"read","key":"x"}'

/** The refusal of a text. */
function refusalOf(text: string): WarpError {
  try {
    parseHistory(text)
  } catch (error) {
    if (isWarpError(error, 'WARP_E_PROTOCOL')) return error
  }
  throw new Error('was not refused')
}

describe('a history as text', () => {
  test('is read back as it was written, header and values included', () => {
    const events = [
      { type: 'invoke', process: 'a', f: 'write', key: 'x', value: { b: [1, null, 'ü\n'] }, time: 3.5 },
      { type: 'info', process: 'a', f: 'write', key: 'x' },
      { type: 'invoke', process: 1, f: 'read' },
      { type: 'ok', process: 1, f: 'read', value: null },
    ] as const
    const history = { header: { title: 'all there is' }, events }
    expect(parseHistory(formatHistory(history))).toEqual(history)
    expect(parseHistory(formatHistory({ events }))).toEqual({ events })
  })

  test('may have empty lines, other line ends and no header', () => {
    const text = `\r\n${READ}\r\n\n{"type":"ok","process":0,"f":"read","value":1}\r\n`
    expect(parseHistory(text).events.map(({ type }) => type)).toEqual(['invoke', 'ok'])
  })

  test('a field named __proto__ stays a field', () => {
    const { events } = parseHistory('{"type":"invoke","process":0,"f":"write","value":{"__proto__":{"polluted":true}}}')
    expect(Object.keys(events[0]?.value as object)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test.each([
    ['no JSON', '{"type":"invoke"'],
    ['no object', '[1]'],
    ['another type', '{"type":"done","process":0,"f":"read"}'],
    ['no process', '{"type":"ok","f":"read"}'],
    ['a process between integers', '{"type":"ok","process":0.5,"f":"read"}'],
    ['no name', '{"type":"invoke","process":0}'],
    ['a key that is no text', '{"type":"invoke","process":1,"f":"read","key":7}'],
    ['a time that is no number', '{"type":"invoke","process":1,"f":"read","time":"now"}'],
    ['a second header', '{"history":1}'],
    ['a return without an invocation', '{"type":"ok","process":1,"f":"read"}'],
    ['a second call of one process', READ],
    ['a return from another call', '{"type":"ok","process":0,"f":"write","key":"x"}'],
    ['a return from another key', '{"type":"ok","process":0,"f":"read","key":"y"}'],
    [
      'a value nested too deeply',
      `{"type":"ok","process":0,"f":"read","value":${'['.repeat(9999)}${']'.repeat(9999)}}`,
    ],
  ])('%s: refused with the number of its line', (_, line) => {
    expect(refusalOf(`{"history":1}\n\n${READ}\n${line}\n`).details['line']).toBe(4)
  })

  test('a header of another version is refused', () => {
    expect(refusalOf('{"history":2}').details['line']).toBe(1)
  })

  test('a refusal shows nothing of the line', () => {
    expect(refusalOf('{"type":"invoke","process":0,"f":"write","value":secret}').message).not.toContain('secret')
  })
})
