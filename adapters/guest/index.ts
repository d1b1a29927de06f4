/** `warp-engine/guest`: holds some keys of a cluster and writes them without a network, in Node and at the edge. */
export { openGuest, type OpenGuestOptions } from './open-guest.ts'
export type {
  Guest,
  GuestConnection,
  GuestEvent,
  GuestHandle,
  GuestOptions,
  GuestStatus,
  GuestWaitOptions,
  GuestWriteOptions,
  GuestWritten,
} from '../../src/guests/guest/guest-types.ts'
// What follows from the key patterns stands in the types of a guest's calls.
export type {
  IsAny,
  KnownKey,
  ParametersAfterFirst,
  SettableKey,
  SettableValue,
  StrategyAt,
} from '../../src/keys/typed-keys.ts'
