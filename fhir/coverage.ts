import { z } from 'zod'
import type { NewRecord } from '../gateway/model/record.ts'
import { type Entry, type IdentifiedEntry } from './bundle.ts'
import { isObject } from './object.ts'
import { SYSTEMS, codeOf } from './coded.ts'
import { CodeableConcept, Reference, Text, present } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { WrittenPeriod, saidPeriod } from './instant.ts'
import { leftOutFor } from './left-out.ts'
import { NamedReference, firstName, partyName } from './party.ts'
import { assemble, contentDigest } from './record.ts'
import { type MapResource, type SubjectContext, factsOf } from './subject.ts'

/** @source https://hl7.org/fhir/R4/coverage.html */
const Coverage = z.object({
  type: CodeableConcept.optional(),
  subscriberId: Text.optional(),
  period: WrittenPeriod.optional(),
  payor: z.array(NamedReference).default([]),
})

type Resource = Readonly<Record<string, unknown>>

export const mapCoverage: MapResource = (entry, context) => {
  const read = readCoverage(entry.resource, entry.resource, context)
  if ('reason' in read) return read
  const { values, facts } = read
  return assemble({
    type: 'Coverage',
    patient: context.patient,
    id: context.idFor('Coverage', entry.id),
    values,
    metadata: factsOf({ ...facts, sources: [entry.resource, values.payor ?? null] }),
  })
}

/**
 * The coverages that a claim or its settlement holds within itself. They have no id that means anything outside, and the
 * same one stands in every settlement of a patient: **two with the same payor, subscriber number, type and period are one
 * record**, whose id comes from the patient and these values. One that changes is therefore another one.
 */
export function mapContainedCoverages(
  entry: IdentifiedEntry,
  context: SubjectContext,
): readonly { readonly resource: Resource; readonly found: NewRecord | MappingIssue }[] {
  return heldCoverages(entry)
    .filter((resource) => leftOutFor('Coverage', resource) === undefined)
    .map((resource) => ({ resource, found: mapContained(entry, resource, context) }))
}

export function holdsCoverage(entry: Entry): boolean {
  return heldCoverages(entry).length > 0
}

function heldCoverages({ resource }: Entry): readonly Resource[] {
  const contained: unknown[] = Array.isArray(resource['contained']) ? resource['contained'] : []
  return contained.filter(isObject).filter((one) => one['resourceType'] === 'Coverage')
}

function mapContained(entry: IdentifiedEntry, resource: Resource, context: SubjectContext): NewRecord | MappingIssue {
  const beneficiary = Reference.safeParse(resource['beneficiary']).data
  const whose = context.patientAt(beneficiary, entry.resource)
  if (whose === undefined) return mappingIssue('Coverage.beneficiary', ISSUES.patient)
  if (whose !== context.patient) return mappingIssue('Coverage.beneficiary', ISSUES.otherPatient)
  const read = readCoverage(resource, entry.resource, context)
  if ('reason' in read) return read
  const { values, facts } = read
  const said = present(values)
  if (Object.keys(said).length === 0) return mappingIssue('Coverage', ISSUES.shape)
  const identity = contentDigest(said)
  return assemble({
    type: 'Coverage',
    patient: context.patient,
    id: context.idFor('Coverage', `${context.patient}#${identity}`),
    values,
    // over what was read: the digest must not depend on which of the settlements came first
    metadata: factsOf({ ...facts, sources: [said] }),
  })
}

interface ReadCoverage {
  readonly values: { readonly [field in 'payor' | 'subscriberId' | 'type' | 'period']: unknown }
  readonly facts: { readonly time: string | undefined; readonly concepts: readonly [ReadConcept] }
}

type ReadConcept = z.output<typeof CodeableConcept>

/** @param container what the references of a contained resource are resolved in; the resource itself where it is none */
function readCoverage(resource: Resource, container: Resource, context: SubjectContext): ReadCoverage | MappingIssue {
  const parsed = Coverage.safeParse(resource)
  if (!parsed.success) return schemaIssue('Coverage', parsed.error)
  const { type, subscriberId, period, payor } = parsed.data
  if (payor.length > 1) context.note(mappingIssue('Coverage.payor', ISSUES.further))
  const name = firstName(payor, (one) => partyName(one, container, ['Organization'], context, 'loose'))
  return {
    values: { payor: name, subscriberId, type: codeOf(type, SYSTEMS.coverageType), period: saidPeriod(period) },
    facts: { time: period?.start, concepts: [type] },
  }
}
