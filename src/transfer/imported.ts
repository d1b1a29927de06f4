/** What an import has done. */
export interface Imported {
  /** Operations that were not here before. */
  readonly operationsCount: number
  /** Operations that were. */
  readonly duplicatesCount: number
  /** Keys whose compacted state was taken over; 0 if everything was here or came as operations. */
  readonly snapshotsCount: number
}
