import type { PatientId, RecordId } from '../gateway/model/ids.ts'
import type { Entry } from './bundle.ts'
import type { MapOptions } from './mapped-bundle.ts'
import type { OpenedBundle } from './opened-bundle.ts'
import type { IdFor } from './record.ts'
import type { References } from './references.ts'

/** The name of patients' identifiers in `IdFor`. No type of FHIR has this name. */
export const PATIENT_IDENTIFIER = 'PatientIdentifier'

const BY_IDENTIFIER = 'Patient?identifier='

/** The id by which the store finds a patient. @param key `Patient/ID`, or `Patient?identifier=SYSTEM|VALUE` */
export function lookupId(key: string, idFor: IdFor): RecordId {
  return key.startsWith(BY_IDENTIFIER)
    ? idFor(PATIENT_IDENTIFIER, key.slice(BY_IDENTIFIER.length))
    : idFor('Patient', key.slice('Patient/'.length))
}

/** The patients of earlier imports that the resources of a bundle name. */
export class StoredPatients {
  readonly #references: References
  readonly #byKey: ReadonlyMap<string, PatientId>
  /** The patients that the bundle itself is about, whatever it says of them. */
  readonly #own: ReadonlySet<PatientId>

  constructor({ references, entries, deleted, conflicting }: OpenedBundle, { stored = new Map(), idFor }: MapOptions) {
    this.#references = references
    this.#byKey = stored
    const own = [...entries, ...deleted, ...conflicting.flat()].flatMap((entry) =>
      entry.type === 'Patient' ? [entry.id ?? [], 'confused' in entry ? namesOf(entry) : []].flat() : [],
    )
    this.#own = new Set(own.map((id) => idFor('Patient', id) as string as PatientId))
  }

  /**
   * A patient of the bundle is never found: the store has an earlier version of it, with other identifiers, and the bundle can delete it.
   */
  find(
    reference: string | undefined,
    from: Entry['resource'],
  ): { readonly patient: PatientId; readonly base: string | undefined } | undefined {
    if (this.#byKey.size === 0) return undefined
    const outside = this.#references.outsidePatient(reference, from)
    const patient = outside && this.#byKey.get(outside.key)
    return patient === undefined || this.#own.has(patient) ? undefined : { patient, base: outside?.base }
  }
}

/** The ids of an entry that names several. */
function namesOf({ confused }: Pick<Entry, 'confused'>): readonly string[] {
  return (confused?.names ?? []).flatMap((name) => (name.startsWith('Patient/') ? name.slice('Patient/'.length) : []))
}
