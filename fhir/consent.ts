import { z } from 'zod'
import type { Consent, ConsentChanges } from '../gateway/model/consent.ts'
import type { Instant, RecordId } from '../gateway/model/ids.ts'
import { PURPOSES_OF_USE, type Sensitivity } from '../directives/policy.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { Coding, Reference } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue, isMappingIssue } from './mapping-issue.ts'
import { Period, endInstant, firstInstant } from './instant.ts'
import { practitionerOf } from './practitioner.ts'
import type { IdFor } from './record.ts'
import type { References } from './references.ts'

const Rule = z.object({
  type: z.enum(['permit', 'deny'], { error: ISSUES.code }).optional(),
  period: Period.optional(),
  actor: z.array(z.object({ reference: Reference })).default([]),
  action: z.array(z.object({ coding: z.array(Coding).default([]) })).default([]),
  securityLabel: z.array(Coding).default([]),
  purpose: z.array(Coding).default([]),
  class: z.array(z.unknown()).default([]),
  code: z.array(z.unknown()).default([]),
  dataPeriod: z.unknown().optional(),
  data: z.array(z.object({ meaning: z.string(), reference: Reference })).default([]),
})
type Rule = z.output<typeof Rule>
interface Provision extends Rule {
  readonly provision: readonly Provision[]
}
const Provision: z.ZodType<Provision> = Rule.extend({
  get provision() {
    return z.array(Provision).default([])
  },
})

/** @source https://hl7.org/fhir/R4/consent.html */
const ConsentResource = z.object({
  status: z.enum(['draft', 'proposed', 'active', 'rejected', 'inactive', 'entered-in-error'], { error: ISSUES.code }),
  provision: Provision.optional(),
})

interface ConsentReading extends ConsentChanges {
  readonly issues: readonly MappingIssue[]
}

interface ConsentContext {
  readonly references: References
  readonly idFor: IdFor
  /** The FHIR identities of users, by the practitioner that they are assigned to. */
  readonly assign: ReadonlyMap<string, readonly string[]>
  /** The sensitivities of the schema. A rule about another one cannot be expressed. */
  readonly sensitivities: ReadonlySet<Sensitivity>
}

const ACT_REASON = /ActReason$/
const ACT_CODE = /ActCode$/
const READING: ReadonlySet<string> = new Set(['access', 'use', 'disclose'])

/**
 * Maps the rules of a FHIR consent to permissions and denials.
 *
 * If a rule has a part that the model cannot express, a permission permits nothing, a denial denies more, and the result has an
 * issue. Either way no caller sees data that the patient may have closed.
 */
export function mapConsent(entry: IdentifiedEntry, context: ConsentContext): ConsentReading | MappingIssue {
  const parsed = ConsentResource.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Consent', parsed.error)
  const id = context.idFor('Consent', entry.id)
  const { status, provision } = parsed.data
  if (status !== 'active') return { given: [], withdrawn: [id], issues: [] }
  const rules = provision === undefined ? [] : [...typed(provision, [])]
  if (rules.length === 0) return mappingIssue('Consent.provision.type', ISSUES.shape)
  const issues: MappingIssue[] = []
  const given: Consent[] = []
  for (const { rule, above } of rules) {
    // the rules above limit a nested rule
    for (const consent of consentsOf(rule, above, entry, context, issues))
      given.push({ ...consent, id: `${id}.${given.length + 1}` })
  }
  return { given, withdrawn: [id], issues }
}

function* typed(provision: Provision, above: readonly Provision[]): Generator<{ rule: Provision; above: readonly Provision[] }> {
  if (provision.type !== undefined) yield { rule: provision, above }
  for (const one of provision.provision) yield* typed(one, [...above, provision])
}

type Coded = z.output<typeof Coding>
type Draft = Omit<Consent, 'id'>

/** One draft for each actor of the rule, or one without an actor. Empty if the rule permits nothing. */
function consentsOf(
  rule: Rule,
  above: readonly Rule[],
  { resource }: IdentifiedEntry,
  { references, idFor, assign, sensitivities }: ConsentContext,
  issues: MappingIssue[],
): Draft[] {
  const permits = rule.type === 'permit'
  const where = 'Consent.provision'
  let lost = false
  const parts = [...above, rule]
  // in this model a denial wins, so a permission below a denial has no effect
  if (permits && above.some(({ type }) => type === 'deny')) issues.push(mappingIssue(where, ISSUES.exception))
  const narrowest = <T>(of: (part: Rule) => readonly T[]): readonly T[] => {
    const said = parts.map(of).filter((list) => list.length > 0)
    // a permission with two limits needs both, and the model has one
    if (permits && said.length > 1) lost = true
    return said.at(-1) ?? []
  }

  const actions = narrowest(({ action }) => action).flatMap(({ coding }) => coding.flatMap(({ code }) => code ?? []))
  if (permits && actions.length > 0 && !actions.includes('access')) return []
  if (!permits && actions.length > 0 && actions.every((code) => code === 'collect' || code === 'correct')) return []
  if (actions.some((code) => !READING.has(code) && code !== 'collect' && code !== 'correct')) lost = true
  if (parts.some((part) => part.class.length > 0 || part.code.length > 0 || part.dataPeriod !== undefined)) lost = true

  const labels = narrowest(({ securityLabel }) => securityLabel).map((one) => coded(one, ACT_CODE, sensitivities))
  const purposes = narrowest(({ purpose }) => purpose).map((one) => coded(one, ACT_REASON, PURPOSES_OF_USE))
  const records = narrowest(({ data }) => data).map(({ meaning, reference }): RecordId | undefined => {
    const target = references.follow(reference, resource)
    const [type, of] =
      target.kind === 'entry' ? [target.entry.type, target.entry.id] : target.kind === 'outside' ? [target.type, target.id] : []
    if (type === undefined || of === undefined) return undefined
    // a permission for an encounter includes the records of the encounter
    const fits = permits ? meaning === (type === 'Encounter' ? 'related' : 'instance') : meaning !== 'authoredby'
    return fits ? idFor(type, of) : undefined
  })
  const actors = narrowest(({ actor }) => actor).map(({ reference }): readonly string[] | undefined => {
    const target = references.follow(reference, resource)
    const [type, of] =
      target.kind === 'entry' ? [target.entry.type, target.entry.id] : target.kind === 'outside' ? [target.type, target.id] : []
    if (type === 'Organization' && of !== undefined) return [`Organization/${of}`]
    const found = practitionerOf(reference, resource, references)
    if (found === 'other' || isMappingIssue(found)) return undefined
    const users = [
      ...(found.fhirUser === undefined ? [] : [found.fhirUser]),
      ...found.spellings.flatMap((one) => assign.get(one) ?? []),
    ]
    return users.length === 0 ? undefined : users
  })

  const all = { labels, purposes, records, actors } as const
  if (Object.values(all).some((said) => said.some((one) => one === undefined))) lost = true
  // a permission applies to the labels that it names and to no others
  if (permits && labels.length === 0) return []
  if (lost) issues.push(mappingIssue(where, permits ? ISSUES.permitsLess : ISSUES.deniesMore))
  if (permits && lost) return []
  const since = parts.flatMap(({ period }) => (period?.start === undefined ? [] : [Date.parse(firstInstant(period.start))]))
  const until = parts.flatMap(({ period }) => (period?.end === undefined ? [] : [Date.parse(endInstant(period.end))]))
  // a part that cannot be expressed does not narrow a denial
  const whole = <T>(said: readonly (T | undefined)[]): readonly T[] =>
    said.includes(undefined) ? [] : said.flatMap((one) => (one === undefined ? [] : [one]))
  const said: Draft = {
    effect: permits ? 'PERMIT' : 'DENY',
    ...(whole(labels).length > 0 && { labels: [...new Set(whole(labels))] }),
    ...(whole(purposes).length > 0 && { purposes: [...new Set(whole(purposes))] }),
    ...(whole(records).length > 0 && { records: [...new Set(whole(records))] }),
    ...(since.length > 0 && { since: Math.max(...since) as Instant }),
    ...(until.length > 0 && { until: Math.min(...until) as Instant }),
  }
  const by = [...new Set(whole(actors).flat())]
  return by.length === 0 ? [said] : by.map((actor) => ({ ...said, actor }))
}

/** The value that a coding names, if the coding has the given code system. */
function coded<Value extends string>({ system, code }: Coded, of: RegExp, values: Iterable<Value>): Value | undefined {
  if (system === undefined || !of.test(system)) return undefined
  return [...values].find((value) => value === code)
}
