import type { SchemaPath } from '../../directives/coordinates.ts'
import { possibleViewInputs } from '../decide/view-inputs.ts'
import type { Caller } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'

/**
 * Computes the value of a `@computed` field. Synchronous and pure: it receives only the inputs, in the order of `from`, undefined for
 * an input that the record does not have. A function that returns null or undefined yields ABSENT. A function that throws fails the
 * whole request.
 *
 * @param now milliseconds since the epoch
 */
export type ComputedField = (inputs: readonly (Json | undefined)[], now: Instant) => Json | undefined

/** The functions of a deployment by the path of their field: `Client.age`. */
export type ComputedFields = Readonly<Record<string, ComputedField>>

/** The reason that these functions cannot serve the schema; undefined if each field has a function and each function a field. */
export function computedFault({ computed, phi, reads }: PolicyTable, functions: ComputedFields): string | undefined {
  for (const path of Object.keys(functions)) {
    if (!computed.has(path as SchemaPath)) return `${path}: a function is given for what is no @computed field`
  }
  for (const [path, inputs] of computed) {
    if (!Object.hasOwn(functions, path)) return `${path}: no function is given for the @computed field`
    if (phi.get(path)?.class !== 'VALUE') return `${path}: only a value can be computed`
    // a value of another record is decided there, and this record cannot wait for it
    const stranger = inputs.find((input) => recordOf(input) !== recordOf(path))
    if (stranger !== undefined) return `${path}: is computed from ${stranger}, which is a value of another record`
    const derived = inputs.find((input) => computed.has(input))
    if (derived !== undefined) return `${path}: is computed from ${derived}, which is computed itself`
  }
  // an argument is decided only by the grants of its field, and a computed field needs those of its inputs too (P11)
  const [argument] = [...reads].find(([, path]) => computed.has(path)) ?? []
  return argument === undefined ? undefined : `${argument}: an argument cannot read a @computed field`
}

const recordOf = (path: SchemaPath): string => path.slice(0, path.indexOf('.'))

/** These paths with the inputs of those that are computed, and with the values that views of them may need. */
export function withInputs(
  policy: Pick<PolicyTable, 'computed' | 'phi'>,
  paths: ReadonlySet<SchemaPath>,
  { roles }: Pick<Caller, 'roles'>,
): ReadonlySet<SchemaPath> {
  const inputs = [...paths].flatMap((path) => [...(policy.computed.get(path) ?? []), ...possibleViewInputs(policy, path, roles)])
  return inputs.length === 0 ? paths : new Set([...paths, ...inputs])
}
