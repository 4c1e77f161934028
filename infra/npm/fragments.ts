import * as z from 'zod'
import { readFragment } from '../local/tables.ts'

// The CloudFormation of the package is that of this deployment, without what belongs to functions that a starter does not have.

const named = z.record(z.string(), z.unknown())
const Fragment = z.object({ Conditions: named.default({}), Resources: named })
type Fragment = z.infer<typeof Fragment>

/** The fragments of `infra/`, each with the functions whose resources a starter has. */
const FRAGMENTS = ['tables', 'keys', 'functions', 'audit-objects'] as const
/** The functions of a starter, as the names of their resources begin. */
const FUNCTIONS = ['Graphql', 'Notary']
const OTHER_FUNCTIONS = ['AuditChanges']
const isOfOtherFunction = (name: string): boolean => OTHER_FUNCTIONS.some((one) => name.startsWith(one))

/** The role of a function: `GraphqlRole.Arn`. */
const ROLE = /^([A-Z][A-Za-z]*)Role\.Arn$/

/** Conditions and resources for a deployment with the functions of a starter, in the long form of CloudFormation. */
export function starterFragment(): Fragment {
  const parts = FRAGMENTS.map((name) => Fragment.parse(readFragment(new URL(`../${name}.yml`, import.meta.url))))
  const resources = parts.flatMap((part) => Object.entries(part.Resources)).filter(([name]) => !isOfOtherFunction(name))
  return {
    Conditions: Object.assign({}, ...parts.map((part) => part.Conditions)) as Fragment['Conditions'],
    Resources: Object.fromEntries(resources.map(([name, resource]) => [name, withoutOtherRoles(resource)])),
  }
}

/** The variables of the tables, for the environment of every function. */
export const starterEnvironment = (): Record<string, unknown> =>
  z.object({ Environment: named }).parse(readFragment(new URL('../tables.yml', import.meta.url))).Environment

/** Removes other functions' roles from the principals of policies, and a statement that names nobody else. */
function withoutOtherRoles(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((one) => !isForOthers(one)).map(withoutOtherRoles)
  if (typeof value !== 'object' || value === null) return value
  const attribute = Attribute.safeParse(value).data?.['Fn::GetAtt']
  // the long form has the name and the attribute as a list
  if (attribute !== undefined) return { 'Fn::GetAtt': attribute.split('.') }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutOtherRoles(member)]))
}

/** Whether a value is the ARN of another function's role, or a statement for only such roles. */
function isForOthers(value: unknown): boolean {
  const role = roleOf(value)
  if (role !== undefined) return !FUNCTIONS.includes(role)
  const principals = Statement.safeParse(value).data?.Principal.AWS
  if (principals === undefined) return false
  const all = Array.isArray(principals) ? principals : [principals]
  return all.every((one) => roleOf(one) !== undefined && isForOthers(one))
}

const Attribute = z.object({ 'Fn::GetAtt': z.string() })
const Statement = z.object({ Principal: z.object({ AWS: z.unknown() }) })

/** The function whose role a `Fn::GetAtt` names. */
function roleOf(value: unknown): string | undefined {
  return ROLE.exec(Attribute.safeParse(value).data?.['Fn::GetAtt'] ?? '')?.[1]
}
