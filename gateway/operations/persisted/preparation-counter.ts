/** The work for the texts of operations that a process did, and that each further request with the same text saves. */
export interface PreparationCounter {
  parses: number
  validations: number
  footprints: number
  /** SHA-256 of a text, or of its canonical form. */
  hashes: number
}

export const newPreparationCounter = (): PreparationCounter => ({ parses: 0, validations: 0, footprints: 0, hashes: 0 })
