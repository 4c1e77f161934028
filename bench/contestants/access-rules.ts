import { applyMiddleware } from 'graphql-middleware'
import { allow, deny, rule, shield } from 'graphql-shield'
import type { GraphQLSchema } from 'graphql'
import type { ClinicContext } from './clinic.ts'

// The rules that a team writes by hand with graphql-shield: one rule for each leaf, by the role of the caller.

// a rule that depends only on the context is evaluated once a request with this setting
const byRole = (...roles: readonly string[]) =>
  rule(roles.join(), { cache: 'contextual' })((_source, _args, { caller }: ClinicContext) => roles.includes(caller.role))

const administrative = byRole('PHYSICIAN', 'NURSE', 'BILLING', 'PATIENT')
const clinical = byRole('PHYSICIAN', 'NURSE', 'PATIENT')

const all = (names: readonly string[], allowed: typeof clinical) => Object.fromEntries(names.map((name) => [name, allowed]))

/** Wraps the schema in the rules. What has no rule is denied. */
export function withRules(schema: GraphQLSchema): GraphQLSchema {
  const rules = shield(
    {
      Query: all(['patient', 'patients'], administrative),
      PatientConnection: allow,
      PatientEdge: allow,
      ObservationConnection: allow,
      ObservationEdge: allow,
      PageInfo: allow,
      // the members of a composite belong to its leaf
      CodeableConcept: allow,
      Coding: allow,
      Quantity: allow,
      ObservationComponent: allow,
      Patient: {
        id: allow,
        ...all(['mrn', 'familyName', 'givenName', 'birthDate', 'gender'], administrative),
        ...all(['phone', 'email', 'maritalStatus', 'language', 'race', 'ethnicity', 'observations'], clinical),
      },
      Observation: {
        id: allow,
        ...all(['code', 'category', 'effectiveDateTime', 'valueQuantity', 'valueString'], clinical),
        ...all(['valueCodeableConcept', 'component', 'interpretation'], clinical),
      },
    },
    { fallbackRule: deny, allowExternalErrors: false },
  )
  return applyMiddleware(schema, rules)
}
