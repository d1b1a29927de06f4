/**
 * - `applied`: appended and visible.
 * - `duplicate`: known already; nothing changed.
 * - `early`: an operation that it depends on is missing; offer it again when that has been applied.
 * - `drift`: stamped further ahead than the clock drift allowed; not kept, offer it again later (anti-entropy will).
 * - `resync`: void, its writer's id has come to an end before it: whoever holds it must resync from a snapshot (see src/operation/retired-ids.ts).
 * - `clone`: carries this replica's own id and a dot it never used, or a dot with other content.
 * - `full`: no space to keep it; offer it again later.
 * Malformed bytes throw `WARP_E_PROTOCOL`.
 */
export type Admission = 'applied' | 'duplicate' | 'early' | 'drift' | 'resync' | 'clone' | 'full'
