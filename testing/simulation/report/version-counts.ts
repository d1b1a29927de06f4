/** What comes of builds that are exchanged, as it is counted beside the strikes of `mixed versions`. */

export const UPGRADED = 'upgraded'
/** By each machine that begins to write the later format. */
export const RAISED = 'reported: format:raised'
/** Nobody had raised the format yet. */
export const TAKEN_BACK = 'taken back before the raise'
export const WAY_BACK_REFUSED = 'way back refused'
/** Of a machine that had never been upgraded: it has just joined, or was away for long. */
export const OLD_REFUSED = 'old build refused'
