import { expect, test } from 'vitest'
import { Numbering } from '../../src/channels/numbering.ts'

test('messages count from 1 in each channel', () => {
  const numbering = new Numbering(10)
  expect(['a', 'b', 'a'].map((channel) => numbering.next(channel, 0))).toEqual([
    { channel: 'a', stream: 1, number: 1 },
    { channel: 'b', stream: 2, number: 1 },
    { channel: 'a', stream: 1, number: 2 },
  ])
})

test('the last number of a channel is told ever more seldom, and from the beginning when there is a new one', () => {
  const numbering = new Numbering(10)
  numbering.next('a', 0)
  const told: string[] = []
  for (let round = 1; round <= 200; round++) {
    if (round === 5) numbering.next('a', 4500)
    for (const { number, agoMs } of numbering.heads(round * 1000)) told.push(`${round}: ${number}, ${agoMs} ms ago`)
  }
  expect(told.slice(0, 5)).toEqual([
    ...['1: 1, 1000 ms ago', '2: 1, 2000 ms ago', '4: 1, 4000 ms ago', '5: 2, 500 ms ago', '6: 2, 1500 ms ago'],
  ])
  expect(told.slice(5).map((line) => line.split(':')[0])).toEqual(['8', '12', '20', '36', '68'])
})

test('whoever comes is told of the channels that were used last', () => {
  const numbering = new Numbering(10)
  for (const channel of ['a', 'b', 'c', 'a']) numbering.next(channel, 10)
  expect(numbering.lastHeads(2, 15)).toEqual([
    { channel: 'c', stream: 3, number: 1, agoMs: 5 },
    { channel: 'a', stream: 1, number: 2, agoMs: 5 },
  ])
})

test('a channel that was forgotten begins a later stream', () => {
  const numbering = new Numbering(2)
  for (const channel of ['a', 'b', 'a', 'c']) numbering.next(channel, 0)
  expect(numbering.heads(0).map(({ channel }) => channel)).toEqual(['a', 'c'])
  expect(numbering.next('b', 0)).toEqual({ channel: 'b', stream: 4, number: 1 })
})
