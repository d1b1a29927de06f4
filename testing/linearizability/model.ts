/**
 * What an object would do if calls came one at a time. A history is linearizable if its calls can
 * be put into one order, each somewhere between its invocation and its return, in which the model
 * accepts every one of them (Herlihy and Wing 1990).
 */
import type { Call } from '../history/history.ts'

/**
 * What a model says to a call: with these parameters, in this state, could it have returned this,
 * and what then?
 */
export type Step<State> = { readonly accepts: true; readonly state: State } | { readonly accepts: false }

export const REFUSED: { readonly accepts: false } = { accepts: false }

/**
 * A sequential model. States are values: `apply` returns a new one and leaves the given one alone.
 *
 * `apply` is asked about calls with outcome `'ok'`, whose `output` is what came back, and
 * `'indeterminate'`, whose output nobody knows: it accepts whatever the output could have been, and
 * must be as permissive as it would be with any output. Failed calls are not asked about.
 */
export interface SequentialModel<State> {
  readonly name: string
  readonly initial: State
  apply(state: State, call: Call): Step<State>
  /**
   * Calls with different keys concern different objects and are judged apart: locality makes that
   * sound, and it is what makes long histories feasible. Default: the key of the call. A model of
   * several keys at once returns one text for all calls.
   */
  key?(call: Call): string
  /**
   * Equal for equal states, different for others. Default: the canonical JSON of the state, so
   * without this states are JSON.
   */
  identity?(state: State): number | string
}
