/**
 * Objects whose fields are worked out when they are asked for look empty to who prints them or
 * makes JSON of them. `showFields` gives a class `toJSON`, and the method that Node's `console.log`
 * asks for under a name of its own.
 */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

type Fields = Readonly<Record<string, unknown>>

export function showFields(prototype: object, names: readonly string[]): void {
  define(prototype, 'toJSON', (shown) => Object.fromEntries(names.map((name) => [name, shown[name]])))
  // Printing throws nothing: what cannot be read is an error in its place.
  define(prototype, INSPECT, (shown) => Object.fromEntries(names.map((name) => [name, readable(shown, name)])))
}

function define(prototype: object, name: string | symbol, show: (shown: Fields) => object): void {
  const value = function (this: Fields): object {
    return show(this)
  }
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true })
}

function readable(shown: Fields, name: string): unknown {
  try {
    return shown[name]
  } catch (error) {
    return error
  }
}
