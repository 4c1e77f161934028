import { isEnumType, type GraphQLEnumType, type GraphQLSchema } from 'graphql'
import type { ConsentPolicy, Role, RolePolicy, Sensitivity } from './policy.ts'
import type { FaultList } from './fault.ts'
import { readDirective } from './read-directives.ts'

/** The enums that a deployment may extend. The code depends on the exact values of all other enums. */
const OPEN_ENUMS: readonly string[] = ['Role', 'Relationship', 'Sensitivity']

/** Reads the roles in schema order. A value without `@role` is a fault: the role would have no kind and no purposes. */
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
        'The role may claim no purpose, so no grant could ever apply.',
        'at least one purpose in mayClaim.',
      )
    }
    const role = value.name as Role
    const { kind, mayClaim, mfa, seesExistence } = written.value
    roles.set(role, { role, kind, mayClaim, mfa, seesExistence })
  }
  return roles
}

/** Reads the consent rule of each sensitivity. A value without a rule is a fault: the label would have no effect. */
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
    const policy: ConsentPolicy = { rule, breakGlass, ownAccess, opensTo: 'ANY' }
    rules.set(value.name as Sensitivity, typeof notice === 'string' ? { ...policy, notice } : policy)
  }
  return rules
}

/** Refuses new values in closed enums, and `@role`, `@consent` or `@opensTo` on the values of other enums. */
export function lintEnums(schema: GraphQLSchema, faults: FaultList): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isEnumType(type)) continue
    const ours = type.astNode?.loc?.source.name === enumType(schema, 'Role')?.astNode?.loc?.source.name
    if (ours && !OPEN_ENUMS.includes(type.name)) {
      for (const node of type.extensionASTNodes) {
        faults.add(
          node,
          type.name,
          'The enum is closed: the code depends on its exact values.',
          `an existing value of ${type.name}. Only Role, Relationship and Sensitivity can be extended.`,
        )
      }
    }
    for (const value of type.getValues()) {
      for (const [directive, owner] of [
        ['role', 'Role'],
        ['consent', 'Sensitivity'],
        ['opensTo', 'Confidentiality'],
      ] as const) {
        const [written] = type.name === owner ? [] : readDirective(schema, value, directive)
        if (written)
          faults.add(
            written.node,
            `${type.name}.${value.name}`,
            `@${directive} has no effect here.`,
            `@${directive} only on values of ${owner}.`,
          )
      }
    }
  }
}

export function enumType(schema: GraphQLSchema, name: string): GraphQLEnumType | undefined {
  const type = schema.getType(name)
  return isEnumType(type) ? type : undefined
}
