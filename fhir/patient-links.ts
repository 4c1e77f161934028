import { z } from 'zod'
import type { PatientId } from '../gateway/model/ids.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type { Entry } from './bundle.ts'
import { Reference } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import { type IdFor, contentDigest } from './record.ts'
import type { References } from './references.ts'

/** A patient record that must not be used any more, and the one to use in its place. */
export interface ReplacedPatient {
  readonly patient: PatientId
  readonly by: PatientId
}

/** @source https://hl7.org/fhir/R4/patient-definitions.html#Patient.link */
const Linked = z.object({
  active: z.boolean().optional(),
  link: z.array(z.object({ type: z.string(), other: Reference })).default([]),
})

/** The links between the patient records of a bundle. A link of either side holds for both. */
export class PatientLinks {
  readonly #references: References
  readonly #idFor: IdFor
  readonly #replacedBy = new Map<PatientId, Set<PatientId>>()

  constructor(references: References, idFor: IdFor) {
    this.#references = references
    this.#idFor = idFor
  }

  /** @returns the issues of the links of one record */
  add({ resource }: Entry, patient: PatientId): readonly MappingIssue[] {
    const parsed = Linked.safeParse(resource)
    if (!parsed.success) return [mappingIssue('Patient.link', ISSUES.value)]
    const { active, link } = parsed.data
    const issues: MappingIssue[] = []
    let isReplaced = false
    for (const { type, other } of link) {
      // `refer` and `seealso` leave both records in use
      if (type !== 'replaced-by' && type !== 'replaces') continue
      isReplaced ||= type === 'replaced-by'
      const linked = this.#patientAt(other, resource)
      if (linked === undefined || linked === patient) issues.push(mappingIssue('Patient.link.other', ISSUES.reference))
      else if (type === 'replaced-by') this.#replace(patient, linked)
      else this.#replace(linked, patient)
    }
    if (isReplaced) issues.push(mappingIssue('Patient.link', ISSUES.replaced))
    else if (active === false) issues.push(mappingIssue('Patient.active', ISSUES.inactive))
    return issues
  }

  /** The patient's own record with its links. They are part of its source: another link changes the digest that an import compares. */
  linked(record: NewRecord): NewRecord {
    const { patient } = record.ref
    // the source names one record in place of another; several leave it open which one is meant
    const [by, ...others] = this.#replacedBy.get(patient) ?? []
    const replacedBy = others.length === 0 ? by : undefined
    const replaces = [...this.#replacedBy].filter(([, all]) => all.has(patient)).map(([other]) => other)
    if (replacedBy === undefined && replaces.length === 0) return record
    const links = { ...(replacedBy !== undefined && { replacedBy }), ...(replaces.length > 0 && { replaces: replaces.toSorted() }) }
    const source = contentDigest({ source: record.metadata.source ?? null, links })
    return { ...record, metadata: { ...record.metadata, ...links, source } }
  }

  /** In the order of the bundle. */
  replaced(): readonly ReplacedPatient[] {
    return [...this.#replacedBy].flatMap(([patient, all]) => [...all].map((by) => ({ patient, by })))
  }

  #replace(patient: PatientId, by: PatientId): void {
    this.#replacedBy.set(patient, (this.#replacedBy.get(patient) ?? new Set()).add(by))
  }

  #patientAt(reference: string | undefined, from: Entry['resource']): PatientId | undefined {
    const target = this.#references.follow(reference, from)
    if (target.kind === 'entry' && target.entry.type === 'Patient' && target.entry.id !== undefined) {
      return this.#idFor('Patient', target.entry.id) as string as PatientId
    }
    if (target.kind === 'outside' && target.type === 'Patient') return this.#idFor('Patient', target.id) as string as PatientId
    return undefined
  }
}
