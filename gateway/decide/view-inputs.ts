import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Grant, PhiPolicy, PolicyTable, Role, View } from '../../directives/policy.ts'
import { VIEWS } from '../../directives/view-rules.ts'

type Table = Pick<PolicyTable, 'phi'>

/**
 * The values that a view of a value depends on, by field name. They are fields of the same object: the view ZIP3 of
 * `Patient.address.postalCode` needs `Patient.address.country`. A field that the schema does not have is absent.
 */
export function viewInputs({ phi }: Table, path: SchemaPath, view: View): ReadonlyMap<string, SchemaPath> {
  const { needs } = VIEWS[view]
  if (needs.length === 0) return NONE
  const object = path.slice(0, path.lastIndexOf('.'))
  const inputs = needs.map((name) => [name, `${object}.${name}` as SchemaPath] as const)
  return new Map(inputs.filter(([, input]) => phi.get(input)?.class === 'VALUE'))
}

const NONE: ReadonlyMap<string, SchemaPath> = new Map()

/** The values that some view of the value could need. @param roles of the caller; without them, of any caller */
export function possibleViewInputs(table: Table, path: SchemaPath, roles?: ReadonlySet<Role>): ReadonlySet<SchemaPath> {
  const inputs = new Set<SchemaPath>()
  for (const grant of table.phi.get(path)?.grants ?? []) {
    if (roles !== undefined && ![...grant.roles].some((role) => roles.has(role))) continue
    for (const input of viewInputs(table, path, grant.view).values()) inputs.add(input)
  }
  return inputs
}

/**
 * The reason that a view of the schema would never show anything; undefined if there is none. The value that a view needs is
 * decided by its own grants, so that a caller with the view must have FULL on that value too.
 */
export function viewFault(table: Pick<PolicyTable, 'phi' | 'computed'>): string | undefined {
  for (const { path, grants } of table.phi.values()) {
    for (const grant of grants) {
      const inputs = viewInputs(table, path, grant.view)
      const missing = VIEWS[grant.view].needs.find((name) => !inputs.has(name))
      if (missing !== undefined) return `${path}: the view ${grant.view} needs the value ${missing} of the same object`
      for (const input of inputs.values()) {
        if (table.computed.has(input)) return `${path}: the view ${grant.view} cannot depend on ${input}, which is computed`
        const refused = [...grant.roles].find((role) => !isReadable(table.phi.get(input), grant, role))
        if (refused !== undefined) return `${path}: the view ${grant.view} needs FULL on ${input} for ${refused} as well`
      }
    }
  }
  return undefined
}

function isReadable(input: PhiPolicy | undefined, { purposes, relationship }: Grant, role: Role): boolean {
  const granted = (input?.grants ?? []).filter(
    (grant) => grant.view === 'FULL' && grant.actions.has('READ') && grant.roles.has(role) && grant.relationship === relationship,
  )
  return [...purposes].every((purpose) => granted.some((grant) => grant.purposes.has(purpose)))
}
