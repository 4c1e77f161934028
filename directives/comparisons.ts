import { getNullableType, isLeafType, isListType, type GraphQLOutputType, type GraphQLSchema } from 'graphql'
import type { PhiSite } from './classify.ts'
import type { SchemaPath, TypeName } from './coordinates.ts'
import type { FaultList } from './fault.ts'
import { parseLock } from './lock.ts'
import { COMPARISON_PARTS, type ComparisonPart, type RecordPolicy } from './policy.ts'
import { readDirective } from './read-directives.ts'

/** The fields of a patient's own record that leave comparison tokens, by what they are compared as. */
export interface Comparison {
  /** The type of the patient's own record. */
  readonly type: TypeName
  readonly parts: ReadonlyMap<ComparisonPart, SchemaPath>
}

const NO_TEXT: ReadonlySet<string> = new Set(['Int', 'Float', 'Boolean'])

/** Checks every `@workforceComparison`. A token of a wrong field would be compared with nothing, without an error. */
export function lintComparisons(
  schema: GraphQLSchema,
  sites: readonly PhiSite[],
  records: ReadonlyMap<TypeName, RecordPolicy>,
  faults: FaultList,
): void {
  const marked = sites.flatMap((site) => {
    const [written] = readDirective(schema, site.field, 'workforceComparison')
    return written?.value === undefined ? [] : [{ site, node: written.node, part: written.value.as }]
  })
  const first = new Map<ComparisonPart, SchemaPath>()
  for (const { site, node, part } of marked) {
    const { path, field, owners } = site
    if (records.get(owners.at(-1)?.name as TypeName)?.patient !== 'id') {
      faults.add(
        node,
        path,
        "@workforceComparison is on a field that is not of the patient's own record.",
        'the directive on a field of the type with @record(patient: "id"), or no @workforceComparison.',
      )
    }
    if (site.class !== 'VALUE' || !isText(field.type) || readDirective(schema, field, 'computed').length > 0) {
      faults.add(
        node,
        path,
        '@workforceComparison is on a field that is not a stored text.',
        'a value of a text scalar, or a list of them, that is not computed.',
      )
    }
    const other = first.get(part)
    if (other !== undefined) {
      faults.add(node, path, `@workforceComparison(as: ${part}) is on ${other} too.`, `${part} on one field.`)
    } else first.set(part, path)
  }
  for (const [one, other] of [
    ['STREET_ADDRESS', 'POSTAL_CODE'],
    ['POSTAL_CODE', 'STREET_ADDRESS'],
  ] as const) {
    const lone = first.has(other) ? undefined : marked.find(({ part }) => part === one)
    if (lone === undefined) continue
    faults.add(
      lone.node,
      lone.site.path,
      `@workforceComparison(as: ${one}) leaves no token without ${other}.`,
      `@workforceComparison(as: ${other}) on another field of the record.`,
    )
  }
}

function isText(of: GraphQLOutputType): boolean {
  const type = getNullableType(of)
  const one = isListType(type) ? getNullableType(type.ofType) : type
  return isLeafType(one) && !NO_TEXT.has(one.name)
}

/** The fields of a schema with `@workforceComparison`, by path. */
export function readComparisons(schema: GraphQLSchema, sites: readonly PhiSite[]): ReadonlyMap<SchemaPath, ComparisonPart> {
  return new Map(
    sites.flatMap(({ path, field }) => {
      const part = readDirective(schema, field, 'workforceComparison')[0]?.value?.as
      return part === undefined ? [] : [[path, part] as const]
    }),
  )
}

/**
 * The comparison that a lock lists. Code that writes records needs nothing else from the schema.
 *
 * @returns undefined if no field leaves a token: then nothing of a patient is compared
 * @throws LockUnreadable
 */
export function workforceComparison(lock: string): Comparison | undefined {
  const marked: [SchemaPath, ComparisonPart][] = []
  for (const { kind, subject, values } of parseLock(lock)) {
    if (kind !== 'comparison') continue
    const part = COMPARISON_PARTS.find((one) => one === values.get('as'))
    // a lock comes from a compiled schema, so the value is one of the enum
    if (part !== undefined) marked.push([subject as SchemaPath, part])
  }
  return comparisonOf(new Map(marked))
}

/** The comparison of the fields with `@workforceComparison`. Undefined if there is none. */
export function comparisonOf(marked: ReadonlyMap<SchemaPath, ComparisonPart>): Comparison | undefined {
  const parts = new Map([...marked].map(([path, part]) => [part, path]))
  const [path] = parts.values()
  return path === undefined ? undefined : { type: path.slice(0, path.indexOf('.')) as TypeName, parts }
}
