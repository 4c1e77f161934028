import type { GraphQLSchema } from 'graphql'
import { enumType } from './enums.ts'
import type { FaultList } from './fault.ts'
import type { KnownRelationships } from './lint-grants.ts'
import type { ConsentPolicy } from './policy.ts'
import { readDirective } from './read-directives.ts'
import { CONFIDENTIALITIES, type Confidentiality, RESERVED_LABELS } from './record-labels.ts'

const INSTEAD = '@opensTo(relationships: [...]) with the relationships that open its records.'

/**
 * Reads the rule of each confidentiality. A value without `@opensTo` is a fault: nothing would say which relationships open its
 * records.
 *
 * @param relationships that have a registered function. The shipped enum also names relationships that a deployment may not have:
 *   they never hold, so they open nothing
 */
export function readConfidentiality(
  schema: GraphQLSchema,
  relationships: KnownRelationships,
  faults: FaultList,
): ReadonlyMap<Confidentiality, ConsentPolicy> {
  const rules = new Map<Confidentiality, ConsentPolicy>()
  const type = enumType(schema, 'Confidentiality')
  const isShipped = type?.astNode?.loc?.source.name === enumType(schema, 'Role')?.astNode?.loc?.source.name
  for (const value of type?.getValues() ?? []) {
    const path = `Confidentiality.${value.name}`
    const code = CONFIDENTIALITIES.find((one) => one === value.name)
    if (code === undefined)
      faults.add(value.astNode, path, 'The code closes no record.', `one of ${CONFIDENTIALITIES.join(' and ')}.`)
    const [written, second] = readDirective(schema, value, 'opensTo')
    if (written === undefined) faults.add(value.astNode, path, 'The confidentiality has no @opensTo.', INSTEAD)
    if (second !== undefined) faults.add(second.node, path, '@opensTo is repeated.', 'one @opensTo with all relationships.')
    if (code === undefined || written?.value === undefined) continue
    const { relationships: named, breakGlass } = written.value
    const unknown = isShipped || relationships === 'unchecked' ? undefined : named.find((one) => !relationships.has(one))
    if (unknown !== undefined)
      faults.add(
        written.node,
        path,
        `The relationship ${unknown} has no registered function.`,
        'a registered relationship, or a function for this one.',
      )
    rules.set(code, { rule: 'HONOR_DENIAL', opensTo: new Set(named), breakGlass, ownAccess: true })
  }
  const missing = CONFIDENTIALITIES.find((code) => type?.getValues().some(({ name }) => name === code) !== true)
  if (missing !== undefined)
    faults.add(type?.astNode, 'Confidentiality', `The enum has no value ${missing}.`, `${missing} with ${INSTEAD}`)
  return rules
}

/** Checks that no sensitivity has the name of another label: a record with that label would get the rule of the sensitivity. */
export function lintLabelNames(schema: GraphQLSchema, faults: FaultList): void {
  for (const { name, astNode } of enumType(schema, 'Sensitivity')?.getValues() ?? []) {
    if (!RESERVED_LABELS.has(name)) continue
    faults.add(astNode, `Sensitivity.${name}`, 'The name is already the name of another label of records.', 'another name.')
  }
}
