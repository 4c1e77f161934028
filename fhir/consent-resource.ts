import { z } from 'zod'
import { CodeableConcept, Coding, Reference } from './datatypes.ts'
import { DateTime, Period } from './instant.ts'
import { ISSUES } from './mapping-issue.ts'

/** An object without elements that its FHIR version does not have: another version can say anything in them. */
const known = <Shape extends z.ZodRawShape>(shape: Shape) => {
  const names = new Set(['id', 'extension', ...Object.keys(shape)])
  // `_name` holds the extensions of the element `name`
  return z
    .looseObject(shape)
    .refine((value) => Object.keys(value).every((key) => names.has(key.replace(/^_/, ''))), { error: ISSUES.element })
}
const unread = z.unknown().optional()

const RULE = {
  type: z.enum(['permit', 'deny'], { error: ISSUES.code }).optional(),
  period: Period.optional(),
  actor: z.array(known({ role: CodeableConcept.optional(), reference: Reference })).default([]),
  action: z.array(z.object({ coding: z.array(Coding).default([]) })).default([]),
  securityLabel: z.array(Coding).default([]),
  purpose: z.array(Coding).default([]),
  class: z.array(z.unknown()).default([]),
  code: z.array(z.unknown()).default([]),
  dataPeriod: z.unknown().optional(),
  data: z.array(known({ meaning: z.string(), reference: Reference })).default([]),
}
export type Rule = z.output<z.ZodObject<typeof RULE>>
export interface Provision extends Rule {
  readonly provision: readonly Provision[]
}
const Provision: z.ZodType<Provision> = known({
  ...RULE,
  get provision() {
    return z.array(Provision).default([])
  },
})

const STATUSES = ['draft', 'proposed', 'active', 'rejected', 'inactive', 'entered-in-error'] as const

/** Whether a status says that a consent is not, or no longer, in force. */
export function isInactive(status: unknown): boolean {
  return status !== 'active' && STATUSES.some((one) => one === status)
}

/** @source https://hl7.org/fhir/R4/consent.html */
export const ConsentResource = known({
  resourceType: unread,
  meta: unread,
  language: unread,
  text: unread,
  contained: unread,
  identifier: unread,
  status: z.enum(STATUSES, { error: ISSUES.code }),
  scope: CodeableConcept.optional(),
  category: z.array(CodeableConcept).default([]),
  patient: unread,
  dateTime: DateTime.optional(),
  performer: unread,
  organization: unread,
  sourceAttachment: unread,
  sourceReference: unread,
  policy: z.array(z.unknown()).default([]),
  policyRule: z.unknown().optional(),
  verification: z.array(z.object({ verified: z.boolean() })).default([]),
  provision: Provision.optional(),
})
