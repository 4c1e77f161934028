import type { AccessEvent, Result } from './access-event.ts'
import type { ExportOptions } from './export-options.ts'
import { FHIR_ACTIVITIES } from './fhir-activities.ts'
import { agentsOf, present } from './fhir-agents.ts'
import { APPLICATION_SERVER, type Coding, codingOf, fhirString, purposeOf } from './fhir-codes.ts'
import { entitiesOf } from './fhir-entities.ts'
import { gatewayReference } from './fhir-references.ts'

/** The profiles of IHE Basic Audit Log Patterns 1.1.4. */
const BALP = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.'

/** 4: "often equivalent to an HTTP 400 response". 8: "HTTP 500". @source https://hl7.org/fhir/R4/valueset-audit-event-outcome.html */
const OUTCOMES: Readonly<Record<Result, string>> = { GRANTED: '0', REFUSED: '4', FAILED: '8' }

/**
 * An event as AuditEvent of FHIR R4, in a profile of IHE BALP if one applies. A refused or failed access claims no profile: the
 * profiles are for successful accesses.
 *
 * @source https://hl7.org/fhir/R4/auditevent.html
 */
export function auditEvent(event: AccessEvent, options: ExportOptions): object {
  const { id, activity, result, first } = event
  const codes = FHIR_ACTIVITIES[activity]
  const profile = profileOf(event)
  const purposes = present([purposeOf(first.purpose)])
  const subtype = [...codes.subtype, ...ownSubtypes(event, options)]
  return {
    resourceType: 'AuditEvent',
    id,
    ...(profile !== undefined && { meta: { profile: [BALP + profile] } }),
    type: codes.type,
    ...(subtype.length > 0 && { subtype }),
    action: codes.action,
    recorded: first.time,
    outcome: OUTCOMES[result],
    outcomeDesc: fhirString(outcomesOf(event).join(', ')),
    purposeOfEvent: purposes,
    agent: agentsOf(first, codes, options),
    source: { site: fhirString(first.tenant), observer: gatewayReference(options), type: [APPLICATION_SERVER] },
    entity: entitiesOf(event, options),
  }
}

const CHANGES: ReadonlySet<AccessEvent['activity']> = new Set(['CREATE', 'UPDATE', 'DELETE'])

/** The profile that the event has everything for: a patient, or else a record. */
function profileOf({ activity, result, first: { patient }, entries }: AccessEvent): string | undefined {
  const { profile } = FHIR_ACTIVITIES[activity]
  if (profile === undefined || result !== 'GRANTED') return undefined
  if (activity === 'DISCLOSE') return profile
  // a retry of a change and an edit that found nothing change no record
  if (CHANGES.has(activity) && !entries.some(({ outcome }) => outcome === 'WRITTEN')) return undefined
  if (patient !== undefined) return `Patient${profile}`
  const hasData = activity === 'QUERY' || entries.some(({ recordId }) => recordId !== undefined)
  return hasData ? profile : undefined
}

/** The reasons of a refusal or a failure, and an action without a code of FHIR, in code systems of the gateway. */
function ownSubtypes(event: AccessEvent, { gateway }: ExportOptions): readonly Coding[] {
  const { activity, result, first } = event
  const actions = activity === 'OTHER' || activity === 'REVIEW' ? [codingOf(`${gateway}/CodeSystem/action`, first.action)] : []
  if (result === 'GRANTED') return actions
  const reasons = new Set(event.entries.map(({ outcome, reason }) => reason ?? outcome))
  return [...actions, ...[...reasons].map((reason) => codingOf(`${gateway}/CodeSystem/refusal`, reason))]
}

const outcomesOf = ({ entries }: AccessEvent): readonly string[] => [
  ...new Set(entries.map(({ outcome, reason }) => (reason === undefined ? outcome : `${outcome} ${reason}`))),
]
