/** Options that are numbers, with what they are by default, and their bounds. */
import { isWholeFrom, refusedOption } from '../../crdt/checked-options.ts'

/** Name of a number: default, least and greatest value. */
export type NumberBounds<Name extends string> = Readonly<
  Record<Name, readonly [fallback: number, min: number, max: number]>
>

/** All of the numbers. Throws `WARP_E_CONFIG`. */
export function boundedNumbers<Name extends string>(
  what: string,
  options: Readonly<Partial<Record<NoInfer<Name>, number>>>,
  bounds: NumberBounds<Name>,
): Record<Name, number> {
  const names = Object.keys(bounds) as Name[]
  return Object.fromEntries(names.map((name) => [name, numberOf(what, name, options[name], bounds[name])])) as Record<
    Name,
    number
  >
}

function numberOf(
  what: string,
  name: string,
  given: number | undefined,
  [fallback, min, max]: readonly [number, number, number],
): number {
  const value = given ?? fallback
  if (!isWholeFrom(value, min, max)) throw refusedOption(what, name, value, `give a whole number from ${min} to ${max}`)
  return value
}
