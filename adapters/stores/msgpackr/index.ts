/** `warp-engine/msgpackr`: a codec for stores, on msgpackr. */
export { msgpackrCodec } from './msgpackr-codec.ts'
