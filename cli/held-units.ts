import { type OpenedBundle, outsidePatients } from '../fhir/opened-bundle.ts'
import type { SourceUnit } from '../fhir/source-units.ts'

/** A unit with its entries read. */
export interface OpenedUnit {
  readonly unit: SourceUnit
  readonly opened: OpenedBundle
  /** The keys of patients that its resources name and it does not hold. */
  readonly outside: readonly string[]
}

/** The largest sum of held bundles, in characters. Memory holds them until all other files are written. */
const MAX_HELD_CHARACTERS = 400 * 1024 * 1024

/**
 * Units with resources of patients that they do not hold. Any other file can bring these patients, or change their identifiers, so that
 * the units wait until the other units are written. The place of a file decides nothing.
 */
export class HeldUnits {
  readonly #max: number
  readonly #held: OpenedUnit[] = []
  #characters = 0

  constructor(maxCharacters: number = MAX_HELD_CHARACTERS) {
    this.#max = maxCharacters
  }

  /** Returns `held`, `not needed` for a unit with all of its patients, or `too many` for a unit that memory has no place for. */
  take(unit: SourceUnit, opened: OpenedBundle): 'held' | 'not needed' | 'too many' {
    const outside = outsidePatients(opened)
    if (outside.length === 0) return 'not needed'
    if (this.#held.length > 0 && this.#characters + unit.characters > this.#max) return 'too many'
    this.#characters += unit.characters
    this.#held.push({ unit, opened, outside })
    return 'held'
  }

  /** The units with patients first: they can bring the patients of the others. */
  inOrder(): readonly OpenedUnit[] {
    const hasPatients = ({ opened }: OpenedUnit): boolean => opened.entries.some(({ type }) => type === 'Patient')
    return this.#held.toSorted((one, other) => Number(hasPatients(other)) - Number(hasPatients(one)))
  }
}
