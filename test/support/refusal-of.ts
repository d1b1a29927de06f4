/** What is thrown, at once or later, as a message; of what is no `WarpError`, with its name. An async iterable is read to its end. */
export async function refusalOf(call: () => unknown): Promise<string> {
  try {
    const result = await call()
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result)
      for await (const one of result as AsyncIterable<unknown>) void one
  } catch (error) {
    const { name, message } = error as Error
    return name === 'WarpError' ? message : `${name}: ${message}`
  }
  return 'accepted'
}
