/** Unions, intersections and differences of sorted sets and sets. */
import { countedKeys, type Call, type Command } from '../../call/command.ts'
import { viewOf, write, type KeyView } from '../../call/key-facts.ts'
import { notWhole, ReplyError, syntaxError, wrongType } from '../../call/reply-error.ts'
import { parseDouble, parseWhole } from '../../protocol/numbers.ts'
import { cardLimitOf, numkeysOf } from '../collections/counted.ts'
import { namesIn } from '../collections/entries.ts'
import { pairsOf, writeMembers, type Scored } from './members.ts'

const GIVE = { group: 'sorted-set', flags: ['readonly'], findKeys: countedKeys(1), arity: -3, since: '6.2.0' } as const
const KEEP = {
  group: 'sorted-set',
  flags: ['write', 'denyoom'],
  findKeys: (args: readonly string[]) => [1, ...countedKeys(2)(args)],
  arity: -4,
} as const

export const SORTED_SET_ALGEBRA_COMMANDS: readonly Command[] = [
  { ...GIVE, name: 'ZUNION', summary: 'The members that any of the sets has.', run: giving(union) },
  { ...GIVE, name: 'ZINTER', summary: 'The members that all the sets have.', run: giving(intersection) },
  { ...GIVE, name: 'ZDIFF', summary: 'The members of the first set that no other has.', run: giving(difference) },
  { ...KEEP, name: 'ZUNIONSTORE', since: '2.0.0', summary: 'Keeps what ZUNION gives.', run: keeping(union) },
  { ...KEEP, name: 'ZINTERSTORE', since: '2.0.0', summary: 'Keeps what ZINTER gives.', run: keeping(intersection) },
  { ...KEEP, name: 'ZDIFFSTORE', since: '6.2.0', summary: 'Keeps what ZDIFF gives.', run: keeping(difference) },
  {
    ...GIVE,
    name: 'ZINTERCARD',
    since: '7.0.0',
    summary: 'How many members all the sets have.',
    run: zintercard,
  },
]

interface Source {
  readonly view: KeyView
  readonly weight: number
}

type Aggregate = (a: number, b: number) => number

interface Combination {
  readonly sources: readonly Source[]
  readonly aggregate: Aggregate
}

type Combine = (combination: Combination) => Map<string, number>

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  // Infinities of both signs come to 0.
  SUM: (a, b) => (Number.isNaN(a + b) ? 0 : a + b),
  MIN: Math.min,
  MAX: Math.max,
}

/** A set is one of sorted members with a score of 1. Throws WRONGTYPE. */
function sourceOf(call: Call, key: string): KeyView {
  const view = viewOf(call, key)
  if (view.kind !== undefined && view.kind !== 'zset' && view.kind !== 'set') throw wrongType()
  return view
}

function scoreIn({ view, weight }: Source, name: string): number | undefined {
  const score = view.kind === 'set' ? (view.hasMember(name) ? 1 : undefined) : view.score(name)
  if (score === undefined) return undefined
  const weighted = score * weight
  return Number.isNaN(weighted) ? 0 : weighted
}

function union({ sources, aggregate }: Combination): Map<string, number> {
  const scores = new Map<string, number>()
  for (const source of sources)
    for (const name of namesIn(source.view)) {
      const [before, score] = [scores.get(name), scoreIn(source, name) ?? 0]
      scores.set(name, before === undefined ? score : aggregate(before, score))
    }
  return scores
}

function intersection({ sources, aggregate }: Combination): Map<string, number> {
  const scores = new Map<string, number>()
  const [least] = [...sources].sort((a, b) => a.view.size - b.view.size)
  for (const name of least === undefined ? [] : namesIn(least.view)) {
    const found = sources.flatMap((source) => scoreIn(source, name) ?? [])
    if (found.length === sources.length)
      scores.set(
        name,
        found.reduce((a, b) => aggregate(a, b)),
      )
  }
  return scores
}

function difference({ sources }: Combination): Map<string, number> {
  const [first, ...others] = sources
  const scores = new Map<string, number>()
  for (const name of first === undefined ? [] : namesIn(first.view))
    if (!others.some((other) => scoreIn(other, name) !== undefined))
      scores.set(name, scoreIn(first as Source, name) ?? 0)
  return scores
}

function sorted(scores: Map<string, number>): Scored[] {
  const members = Array.from(scores, ([name, score]) => ({ name, score: score + 0 }))
  return members.sort((a, b) => (a.score === b.score ? (a.name < b.name ? -1 : 1) : a.score - b.score))
}

interface Parsed extends Combination {
  readonly hasScores: boolean
}

/** What stands from `numkeys` on, which stands at that place. */
function parsed(call: Call, args: readonly string[], place: number, { combine, command }: Combining): Parsed {
  const keys = inputsOf(args, place, command)
  const views = keys.map((key) => sourceOf(call, key))
  let weights = keys.map(() => 1)
  let [aggregate, hasScores] = [AGGREGATES['SUM'] as Aggregate, false]
  for (let at = place + 1 + keys.length; at < args.length; at++) {
    const word = (args[at] as string).toUpperCase()
    if (word === 'WEIGHTS' && combine !== difference && at + keys.length < args.length) {
      weights = args.slice(at + 1, at + 1 + keys.length).map(weightOf)
      at += keys.length
    } else if (word === 'AGGREGATE' && combine !== difference && at + 1 < args.length)
      aggregate = aggregateOf(args[++at])
    else if (word === 'WITHSCORES' && place === 1) hasScores = true
    else throw syntaxError()
  }
  return { sources: views.map((view, i) => ({ view, weight: weights[i] ?? 1 })), aggregate, hasScores }
}

function inputsOf(args: readonly string[], place: number, command: string): readonly string[] {
  if (parseWhole(args[place] as string) === undefined) throw notWhole()
  return numkeysOf(args, place, { none: `ERR at least 1 input key is needed for '${command}' command` })
}

interface Combining {
  readonly combine: Combine
  /** In lower case, for refusals. */
  readonly command: string
}

function weightOf(text: string): number {
  const weight = parseDouble(text)
  if (weight === undefined) throw new ReplyError('ERR weight value is not a float')
  return weight
}

function aggregateOf(text: string | undefined): Aggregate {
  const found = AGGREGATES[(text as string).toUpperCase()]
  if (found === undefined) throw syntaxError()
  return found
}

function giving(combine: Combine): Command['run'] {
  return (call, args) => {
    const asked = parsed(call, args, 1, { combine, command: (args[0] as string).toLowerCase() })
    writeMembers(call, sorted(combine(asked)), asked.hasScores)
  }
}

function keeping(combine: Combine): Command['run'] {
  return (call, args) => {
    const members = sorted(combine(parsed(call, args, 2, { combine, command: (args[0] as string).toLowerCase() })))
    const target = args[1] as string
    if (members.length > 0) write(call, target, 'setScores', pairsOf(members), {})
    else if (viewOf(call, target).kind !== undefined) call.keys.delete(target)
    call.reply.integer(members.length)
  }
}

function zintercard(call: Call, args: readonly string[]): void {
  const keys = inputsOf(args, 1, 'zintercard')
  const sources = keys.map((key) => ({ view: sourceOf(call, key), weight: 1 }))
  const limit = cardLimitOf(args, 2 + keys.length)
  const { size } = intersection({ sources, aggregate: AGGREGATES['SUM'] as Aggregate })
  call.reply.integer(Math.min(size, limit))
}
