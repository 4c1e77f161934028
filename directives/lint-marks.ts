import { isInterfaceType, isNonNullType, isObjectType, type GraphQLSchema } from 'graphql'
import type { RecordPolicy } from './policy.ts'
import type { TypeName } from './coordinates.ts'
import type { FaultList } from './fault.ts'
import {
  DIRECTIVE_NAMES,
  definedPlaces,
  directiveFault,
  directiveNodes,
  has,
  markedPlaces,
  readDirective,
  signature,
} from './read-directives.ts'
import { objectTypes, type TypeKinds } from './type-kinds.ts'

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Checks the arguments of every directive, because graphql's own builder accepts unknown roles and purposes. */
export function lintArguments(schema: GraphQLSchema, faults: FaultList): void {
  const ours: readonly string[] = DIRECTIVE_NAMES
  for (const { path, definition } of markedPlaces(schema)) {
    for (const node of directiveNodes(definition).filter(({ name }) => ours.includes(name.value))) {
      const problem = directiveFault(schema, node)
      if (problem !== undefined)
        faults.add(node, path, problem, `${signature(schema, node.name.value)} with values of these types.`)
    }
  }
}

/** Checks the combination of directives on each field. */
export function lintFields(schema: GraphQLSchema, faults: FaultList): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      const path = `${type.name}.${field.name}`
      const phi = has(field, 'phi')
      if (phi && has(field, 'notPhi')) faults.add(field.astNode, path, 'The field is @phi and @notPhi.', 'one of the two.')
      if (phi && isNonNullType(field.type)) {
        faults.add(
          field.astNode,
          path,
          'A @phi field is non-null, so a denial would null its parent too.',
          `the nullable type ${String(field.type.ofType)}.`,
        )
      }
      const [notPhi] = readDirective(schema, field, 'notPhi')
      if (notPhi?.value?.because.trim() === '') {
        faults.add(notPhi.node, path, '@notPhi gives no reason.', 'because: the reason, as the compliance table prints it.')
      }
      for (const directive of ['minimumNecessary', 'searchable', 'workforceComparison', 'computed'] as const) {
        const [stray] = phi ? [] : readDirective(schema, field, directive)
        if (stray)
          faults.add(
            stray.node,
            path,
            `@${directive} is on a field without @phi.`,
            `@phi(category: ...) beside it, or no @${directive}.`,
          )
      }
    }
  }
}

/** Checks the directives on types and inside composites. */
export function lintTypes(schema: GraphQLSchema, kinds: TypeKinds, faults: FaultList): void {
  const subscription = schema.getSubscriptionType()
  if (subscription) {
    faults.add(
      subscription.astNode,
      subscription.name,
      'A subscription continues after the decision that opened it.',
      'queries, because subscriptions are not supported.',
    )
  }
  for (const type of objectTypes(schema)) {
    const kind = kinds.get(type)
    const [grant] = readDirective(schema, type, 'minimumNecessary')
    if (grant && kind !== 'RECORD' && kind !== 'EMBEDDED') {
      faults.add(
        grant.node,
        type.name,
        'Default grants are on a type that is not a record.',
        'the grants on a type with @record, or on the field.',
      )
    }
    if (kind !== 'COMPOSITE') continue
    for (const { path, definition } of definedPlaces(type)) {
      const inside = DIRECTIVE_NAMES.find((name) => name !== 'freeText' && has(definition, name))
      if (inside) {
        faults.add(
          readDirective(schema, definition, inside)[0]?.node,
          path,
          `@${inside} is inside a composite, which is one value as a whole.`,
          'the directive on the @phi field that holds the composite.',
        )
      }
    }
  }
}

/** Reads the record types, each with its source and the attribute that holds the patient's id. */
export function readRecords(schema: GraphQLSchema, faults: FaultList): ReadonlyMap<TypeName, RecordPolicy> {
  const records = new Map<TypeName, RecordPolicy>()
  for (const type of objectTypes(schema)) {
    const [written] = readDirective(schema, type, 'record')
    if (!written?.value) continue
    const { patient, source } = written.value
    if (!NAME.test(patient))
      faults.add(
        written.node,
        type.name,
        'patient is not the name of an attribute.',
        '`id` on the patient type, else the name of the attribute, such as `patientId`.',
      )
    if (!NAME.test(source))
      faults.add(
        written.node,
        type.name,
        'source is not the name of a source.',
        'the name of a registered source, such as `dynamodb`.',
      )
    records.set(type.name as TypeName, { type: type.name as TypeName, patient, source })
  }
  return records
}
