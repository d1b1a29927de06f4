/**
 * Turns of the real event loop, which is the only way to let every promise that can settle do so
 * before virtual time goes on. The testing kit drives the engine; unlike the engine it cannot be
 * handed its event loop by anybody. A message channel is what all runtimes have (Node, browsers,
 * workers), costs about a microsecond a turn, and is a task of its own: microtasks drain before the
 * next.
 *
 * This never decides anything: what is called, and in which order, is the same on every machine.
 */

/**
 * What all runtimes' ports have in common. Node's keep the process alive while they are listened
 * to, unless told otherwise.
 */
interface Port {
  onmessage: (() => void) | null
  postMessage(message: number): void
  ref?(): void
  unref?(): void
}

const waiting: (() => void)[] = []
let channel: { readonly sender: Port; readonly receiver: Port } | undefined

/**
 * Calls `callback` in a later turn, when all promises that can settle have. Callbacks keep the
 * order of their calls.
 */
export function inLaterTurn(callback: () => void): void {
  channel ??= openChannel()
  if (waiting.push(callback) === 1) channel.receiver.ref?.()
  channel.sender.postMessage(0)
}

/** Resolves in a later turn of the event loop. */
export function laterTurn(): Promise<void> {
  return new Promise(inLaterTurn)
}

function openChannel(): { readonly sender: Port; readonly receiver: Port } {
  const { port1: sender, port2: receiver } = new MessageChannel() as unknown as { port1: Port; port2: Port }
  receiver.onmessage = () => {
    const callback = waiting.shift()
    if (waiting.length === 0) receiver.unref?.()
    callback?.()
  }
  receiver.unref?.()
  return { sender, receiver }
}
