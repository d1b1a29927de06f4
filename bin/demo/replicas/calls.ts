/**
 * What travels between the demo and its processes over Node's IPC channel. Which calls there are is
 * said by an interface of functions of one argument (`ReplicaCalls`, `AuthorCalls`); this is how
 * one of them looks on the way.
 */
export type Calls<C> = { readonly [K in keyof C]: (argument: never) => Promise<unknown> }

export type ArgumentOf<C extends Calls<C>, K extends keyof C> = Parameters<C[K]>[0]
export type AnswerOf<C extends Calls<C>, K extends keyof C> = Awaited<ReturnType<C[K]>>

export interface CallMessage {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}

export type AnswerMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string; readonly isUsage: boolean }

/** What a process tells unasked. */
export interface NoticeMessage {
  readonly kind: 'notice'
  readonly notice: unknown
}

export type ChildMessage = AnswerMessage | NoticeMessage
