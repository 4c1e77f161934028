import type { Consent } from '../gateway/model/consent.ts'
import type { Instant, RecordId } from '../gateway/model/ids.ts'
import { PURPOSES_OF_USE, type Sensitivity } from '../directives/policy.ts'
import type { IdentifiedEntry } from './bundle.ts'
import type { Provision, Rule } from './consent-resource.ts'
import type { Concept } from './datatypes.ts'
import { endInstant, firstInstant } from './instant.ts'
import { type MappingIssue, ISSUES, mappingIssue, isMappingIssue } from './mapping-issue.ts'
import { practitionerOf } from './practitioner.ts'
import type { IdFor } from './record.ts'
import type { References } from './references.ts'

export interface ConsentContext {
  readonly references: References
  readonly idFor: IdFor
  /** The FHIR identities of users, by the practitioner that they are assigned to. */
  readonly assign: ReadonlyMap<string, readonly string[]>
  /** The sensitivities of the schema. A rule about another one cannot be expressed. */
  readonly sensitivities: ReadonlySet<Sensitivity>
}

const ACT_REASON = /ActReason$/
const ACT_CODE = /ActCode$/
/** The roles of an actor that receives the data. Another role, such as the custodian of the data, narrows no recipient. */
const RECIPIENTS: readonly string[] = ['PRCP', 'IRCP', 'GRANTEE', 'DELEGATEE']
const READING: ReadonlySet<string> = new Set(['access', 'use', 'disclose'])

export type Draft = Omit<Consent, 'id'>

/** One draft for each actor of the rule, or one without an actor. Empty if the rule permits nothing. */
export function consentsOf(
  rule: Provision,
  above: readonly Rule[],
  { resource }: IdentifiedEntry,
  { references, idFor, assign, sensitivities }: ConsentContext,
  issues: MappingIssue[],
): Draft[] {
  const permits = rule.type === 'permit'
  const where = 'Consent.provision'
  // whether the rule has a criterion that no property of a consent has
  let narrower = false
  const parts = [...above, rule]
  // in this model a denial wins, so a permission below a denial has no effect
  if (permits && above.some(({ type }) => type === 'deny')) issues.push(mappingIssue(where, ISSUES.exception))
  const narrowest = <T>(of: (part: Rule) => readonly T[]): readonly T[] => {
    const said = parts.map(of).filter((list) => list.length > 0)
    // a permission with two limits needs both, and the model has one
    if (permits && said.length > 1) narrower = true
    return said.at(-1) ?? []
  }

  const stated = narrowest(({ action }) => action).map(({ coding }) => coding.flatMap(({ code }) => code ?? []))
  if (stated.some((codes) => codes.length === 0)) narrower = true
  const actions = stated.flat()
  if (permits && actions.length > 0 && !actions.includes('access')) return []
  if (!permits && actions.length > 0 && actions.every((code) => code === 'collect' || code === 'correct')) return []
  if (actions.some((code) => !READING.has(code) && code !== 'collect' && code !== 'correct')) narrower = true
  if (parts.some((part) => part.class.length > 0 || part.code.length > 0 || part.dataPeriod !== undefined)) narrower = true

  const labels = narrowest(({ securityLabel }) => securityLabel).map((one) => coded(one, ACT_CODE, sensitivities))
  const purposes = narrowest(({ purpose }) => purpose).map((one) => coded(one, ACT_REASON, PURPOSES_OF_USE))
  const records = narrowest(({ data }) => data).map(({ meaning, reference }): RecordId | undefined => {
    const target = references.follow(reference, resource)
    const [type, of] =
      target.kind === 'entry' ? [target.entry.type, target.entry.id] : target.kind === 'outside' ? [target.type, target.id] : []
    if (type === undefined || of === undefined) return undefined
    // a consent for an encounter includes the records of the encounter, and one for another record includes no further record
    const ofEncounter = permits ? ['related'] : ['related', 'dependents', 'instance']
    return (type === 'Encounter' ? ofEncounter : ['instance']).includes(meaning) ? idFor(type, of) : undefined
  })
  const actors = narrowest(({ actor }) => actor).map(({ role, reference }): readonly string[] | undefined => {
    const target = references.follow(reference, resource)
    const [type, of] =
      target.kind === 'entry' ? [target.entry.type, target.entry.id] : target.kind === 'outside' ? [target.type, target.id] : []
    if (!isRecipient(role)) return undefined
    if (type === 'Organization' && of !== undefined) return [`Organization/${of}`]
    const found = practitionerOf(reference, resource, references)
    if (found === 'other' || isMappingIssue(found)) return undefined
    // a role that is not in use, or only for a time, permits less than its practitioner would get
    if (permits && !(found.isActive && Object.keys(found.period).length === 0)) return undefined
    const users = [
      ...(found.fhirUser === undefined ? [] : [found.fhirUser]),
      ...found.spellings.flatMap((one) => assign.get(one) ?? []),
    ]
    return users.length === 0 ? undefined : users
  })

  const all = { labels, purposes, records, actors } as const
  const lost = narrower || Object.values(all).some((said) => said.some((one) => one === undefined))
  // a permission applies to the labels that it names and to no others
  if (permits && labels.length === 0) return []
  if (lost) issues.push(mappingIssue(where, permits ? ISSUES.permitsLess : ISSUES.deniesMore))
  if (permits && lost) return []
  const since = parts.flatMap(({ period }) => (period?.start === undefined ? [] : [Date.parse(firstInstant(period.start))]))
  const until = parts.flatMap(({ period }) => (period?.end === undefined ? [] : [Date.parse(endInstant(period.end))]))
  const said = (criteria: Criteria): Draft[] => {
    const draft: Draft = {
      effect: permits ? 'PERMIT' : 'DENY',
      ...(criteria.labels.length > 0 && { labels: [...new Set(criteria.labels)] }),
      ...(criteria.purposes.length > 0 && { purposes: [...new Set(criteria.purposes)] }),
      ...(criteria.records.length > 0 && { records: [...new Set(criteria.records)] }),
      ...(since.length > 0 && { since: Math.max(...since) as Instant }),
      ...(until.length > 0 && { until: Math.min(...until) as Instant }),
    }
    const by = [...new Set(criteria.actors.flat())]
    return by.length === 0 ? [draft] : by.map((actor) => ({ ...draft, actor }))
  }
  if (!lost && (permits || !rule.provision.some(hasPermission))) return said(criteriaOf(all, understood))
  // a part that cannot be expressed does not narrow a denial
  const wide = said(criteriaOf(all, whole)).map((draft) => ({ ...draft, breakGlass: true }) as const)
  return narrower || !lost || isEmptied(all) ? wide : [...wide, ...said(criteriaOf(all, understood))]
}

/** The criteria of a rule; undefined for a part that cannot be expressed. */
interface Parts {
  readonly labels: readonly (Sensitivity | undefined)[]
  readonly purposes: readonly ((typeof PURPOSES_OF_USE)[number] | undefined)[]
  readonly records: readonly (RecordId | undefined)[]
  readonly actors: readonly (readonly string[] | undefined)[]
}
type Criteria = { readonly [Name in keyof Parts]: readonly Exclude<Parts[Name][number], undefined>[] }

const understood = <T>(said: readonly (T | undefined)[]): readonly T[] => said.flatMap((one) => (one === undefined ? [] : [one]))
const whole = <T>(said: readonly (T | undefined)[]): readonly T[] => (said.includes(undefined) ? [] : understood(said))

const criteriaOf = (
  { labels, purposes, records, actors }: Parts,
  of: <T>(said: readonly (T | undefined)[]) => readonly T[],
): Criteria => ({ labels: of(labels), purposes: of(purposes), records: of(records), actors: of(actors) })

/** Whether some criterion has no part that is understood. */
const isEmptied = (all: Parts): boolean =>
  Object.values(all).some((said: readonly unknown[]) => said.length > 0 && said.every((one) => one === undefined))

/** Whether a rule below a denial permits something: an exception, which the model cannot express. */
const hasPermission = ({ type, provision }: Provision): boolean => type === 'permit' || provision.some(hasPermission)

function isRecipient(role: Concept | undefined): boolean {
  const codes = (role?.coding ?? []).flatMap(({ code }) => code ?? [])
  return codes.length === 0 || codes.some((code) => RECIPIENTS.includes(code))
}

/** The value that a coding names, if the coding has the given code system. */
function coded<Value extends string>(
  { system, code }: Concept['coding'][number],
  of: RegExp,
  values: Iterable<Value>,
): Value | undefined {
  if (system === undefined || !of.test(system)) return undefined
  return [...values].find((value) => value === code)
}
