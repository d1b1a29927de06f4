/**
 * What a command works on: a folder that is opened in this process, or the replica that holds it.
 * See `open-target.ts`.
 */
import type { AnyWarp, Asked, Question } from '../../../src/control/question.ts'

export interface Target extends AsyncDisposable {
  /** The engine, if it is in this process. */
  readonly warp: AnyWarp | undefined
  /** The folder. */
  readonly data: string
  /** `asked.input` is needed by few questions. Leaving the loop cancels the question. */
  ask<Parameters extends object, Item>(
    question: Question<Parameters, Item>,
    parameters: Parameters,
    asked: Pick<Asked, 'signal'> & Partial<Asked>,
  ): AsyncIterable<Item>
  close(): Promise<void>
}

/** The one item of an answer that has one. */
export async function only<Item>(items: AsyncIterable<Item>): Promise<Item> {
  for await (const item of items) return item
  throw new Error('an answer without an item')
}
