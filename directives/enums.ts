import { isEnumType, type GraphQLEnumType, type GraphQLSchema } from 'graphql'
import type { ConsentPolicy, Role, RolePolicy, Sensitivity } from './policy.ts'
import type { FaultList } from './fault.ts'
import { readDirective } from './read-directives.ts'

/** The enums that a deployment may extend; code knows every value of the others. */
const OPEN_ENUMS: readonly string[] = ['Role', 'Relationship', 'Sensitivity']

/** The roles in the order of the schema. A value without `@role` would be a role that nothing is known of. */
export function readRoles(schema: GraphQLSchema, faults: FaultList): ReadonlyMap<Role, RolePolicy> {
  const roles = new Map<Role, RolePolicy>()
  for (const value of enumType(schema, 'Role')?.getValues() ?? []) {
    const path = `Role.${value.name}`
    const [written] = readDirective(schema, value, 'role')
    if (!written) faults.add(value.astNode, path, 'The role has no @role.', '@role(kind: ..., mayClaim: [...]).')
    if (!written?.value) continue
    if (written.value.mayClaim.length === 0) {
      faults.add(
        written.node,
        path,
        'The role may claim no purpose, so that no grant could ever apply.',
        'at least one purpose in mayClaim.',
      )
    }
    const role = value.name as Role
    const { kind, mayClaim, mfa, seesExistence } = written.value
    roles.set(role, { role, kind, mayClaim, mfa, seesExistence })
  }
  return roles
}

/** What each sensitivity asks of consent. A value without a rule would be a label without effect. */
export function readConsent(schema: GraphQLSchema, faults: FaultList): ReadonlyMap<Sensitivity, ConsentPolicy> {
  const rules = new Map<Sensitivity, ConsentPolicy>()
  for (const value of enumType(schema, 'Sensitivity')?.getValues() ?? []) {
    const [written] = readDirective(schema, value, 'consent')
    if (!written) {
      faults.add(
        value.astNode,
        `Sensitivity.${value.name}`,
        'The sensitivity has no @consent.',
        '@consent(rule: REQUIRED) or @consent(rule: HONOR_DENIAL).',
      )
    }
    if (!written?.value) continue
    const { rule, breakGlass, ownAccess, notice } = written.value
    rules.set(value.name as Sensitivity, { rule, breakGlass, ownAccess, ...(typeof notice === 'string' && { notice }) })
  }
  return rules
}

/** Refuses a new value in an enum that is closed, and `@role` or `@consent` on the values of any other enum. */
export function lintEnums(schema: GraphQLSchema, faults: FaultList): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isEnumType(type)) continue
    const ours = type.astNode?.loc?.source.name === enumType(schema, 'Role')?.astNode?.loc?.source.name
    if (ours && !OPEN_ENUMS.includes(type.name)) {
      for (const node of type.extensionASTNodes) {
        faults.add(
          node,
          type.name,
          'The enum is closed: code knows each of its values.',
          `a value of ${type.name} as it is; Role, Relationship and Sensitivity can be extended.`,
        )
      }
    }
    for (const value of type.getValues()) {
      for (const [directive, owner] of [
        ['role', 'Role'],
        ['consent', 'Sensitivity'],
      ] as const) {
        const [written] = type.name === owner ? [] : readDirective(schema, value, directive)
        if (written)
          faults.add(
            written.node,
            `${type.name}.${value.name}`,
            `@${directive} says nothing here.`,
            `@${directive} on values of ${owner} alone.`,
          )
      }
    }
  }
}

function enumType(schema: GraphQLSchema, name: string): GraphQLEnumType | undefined {
  const type = schema.getType(name)
  return isEnumType(type) ? type : undefined
}
